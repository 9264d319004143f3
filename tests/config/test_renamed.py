"""Names of earlier versions."""

import pytest

from gan_lightning.config.arguments import argument_problems
from gan_lightning.config.renamed import hints, new_target


@pytest.mark.parametrize(
    ("typed", "network", "new"),
    [
        ("network.generator.hidden=[8]", "mlp", "network.generator.hidden_dims"),
        ("network.discriminator.hidden=8", "faces", "network.discriminator.hidden_dim"),
        ("network.generator.widths=[8]", "", "network.generator.channels"),
        ("network.generator.width=8", "dcgan", "network.generator.base_channels"),
        ("network.generator.width=8", "scalar", "network.generator.hidden_dim"),
        ("network.generator.kernel=3", "", "network.generator.kernel_size"),
        ("network.discriminator.halvings=3", "", "network.discriminator.num_downsamples"),
        ("network.discriminator.code=8", "", "network.discriminator.code_dim"),
        ("+network.generator.label_width=8", "", "network.generator.label_embedding_dim"),
        ("network/join@network.discriminator=plane", "", "network/join@network.discriminator=concat"),
        ("network.discriminator.join=plane", "", "network.discriminator.join=concat"),
        ("regulariser=lecam", "", "regularizer"),
        ("model.regularisers.lecam.decay=0.9", "", "model.regularizers.lecam.decay"),
        ("model.augment.share=0.5", "", "model.augment.p"),
        ("model.augment.images_to_one=500", "", "model.augment.ada_images"),
        ("model.augment.policy=[colour,cutout]", "", "model.augment.policy=[color,cutout]"),
        ("model.rate=0.001", "", "model.loss.lambda_k"),
        ("data.test_share=0.1", "", "data.test_fraction"),
        ("data.labelled_share=0.1,0.2", "", "data.labeled_fraction"),
        ("data.unlabelled=3", "", "data.unlabeled"),
        ("data.reach=0.9", "", "data.extent"),
        ("~callbacks.film", "", "callbacks.video"),
        ("callbacks.film.fps=3", "", "callbacks.video.fps"),
    ],
)
def test_the_new_name_is_told(typed, network, new):
    (line,) = hints([typed], network)
    assert line == f"{typed.lstrip('+~').partition('=')[0] if '=' not in new else typed} is now {new}"


@pytest.mark.parametrize(
    "typed", ["model.optimizer.lr=1", "network.generator.hidden_dims=8", "network.discriminator.join=projection", "-m"]
)
def test_what_was_not_renamed(typed):
    assert list(hints([typed])) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("gan_lightning.penalties.r1", "gan_lightning.losses.r1"),
        ("gan_lightning.augmentations.DiffAugment", "gan_lightning.losses.DiffAugment"),
        ("gan_lightning.regularisers.LeCam", "gan_lightning.losses.LeCam"),
        ("gan_lightning.metrics.Inception", "gan_lightning.evaluation.Inception"),
        ("gan_lightning.callbacks.Film", "gan_lightning.callbacks.Video"),
        ("gan_lightning.data.DrawnData", "gan_lightning.data.SyntheticData"),
    ],
)
def test_a_target_of_an_earlier_version(old, new):
    section = {"metrics": "callbacks", "data": "data", "callbacks": "callbacks"}.get(old.split(".")[1], "model")
    assert new_target(old) == new
    assert list(argument_problems(f"{section}.part", {"_target_": old})) == [
        f"{section}.part._target_: {old} is now {new}"
    ]
    assert new_target(new) is None
