"""FreezeD: the first blocks of D keep their weights, in every family and with what else changes weights."""

import re
from functools import partial

import pytest
import torch
from torch import nn

from gan_lightning.data import Digits
from gan_lightning.errors import UserError
from gan_lightning.models import GAN, SNGAN, WGAN
from gan_lightning.models.frozen import blocks
from gan_lightning.networks import (
    BEGANDiscriminator,
    BigGANDiscriminator,
    DCGANDiscriminator,
    FaceDiscriminator,
    MaxoutDiscriminator,
    MinibatchDiscrimination,
    MinibatchStd,
    MLPDiscriminator,
    MLPGenerator,
    R3GANDiscriminator,
    ResNetDiscriminator,
    ScalarDiscriminator,
    ScalarGenerator,
    StyleGAN2Discriminator,
)
from tests.conftest import TINY, refusal, training_differences
from tests.models.test_gan import trainer

SHAPE = (1, 16, 16)
FAMILIES = {
    "mlp": (partial(MLPDiscriminator, SHAPE, (8, 6)), 2),
    "dcgan": (partial(DCGANDiscriminator, SHAPE, base_channels=4, batch_norm=True, minibatch_std=MinibatchStd()), 2),
    "resnet": (partial(ResNetDiscriminator, SHAPE, base_channels=4), 3),
    "r3gan": (partial(R3GANDiscriminator, SHAPE, base_channels=4, group_width=2), 7),
    "biggan": (partial(BigGANDiscriminator, SHAPE, base_channels=4, attention=8), 4),
    "stylegan2": (partial(StyleGAN2Discriminator, SHAPE, base_channels=2), 5),
    "maxout": (partial(MaxoutDiscriminator, SHAPE, (8, 6)), 2),
    "faces": (partial(FaceDiscriminator, (1, 18, 18), (2, 3), 8, minibatch_discrimination=MinibatchDiscrimination), 4),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_blocks_follow_each_other_and_have_all_weights_of_the_body(family):
    build, count = FAMILIES[family]
    discriminator = build()
    found = blocks(discriminator)
    assert len(found) == count
    weights = [weight for block in found for layer in block for weight in layer.parameters()]
    assert [*map(id, weights)] == [*map(id, discriminator.body.parameters())]


def trained(kind: type[GAN], discriminator: nn.Module, count: int, **more) -> tuple[dict, GAN]:
    """The weights of D before and a model after three batches."""
    torch.manual_seed(0)
    model = kind(MLPGenerator(4, SHAPE, (8,)), discriminator, freeze_discriminator=count, **more)
    before = {name: weight.detach().clone() for name, weight in model.discriminator.named_parameters()}
    trainer(max_steps=3).fit(model, Digits(SHAPE, batch_size=32, seed=5))
    return before, model


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        (GAN, {}),
        (SNGAN, {}),
        (WGAN, {"clip": 1e-4}),
        (GAN, {"optimizer": partial(torch.optim.AdamW, weight_decay=0.5)}),
    ],
    ids=["gan", "sngan", "wgan", "decay"],
)
def test_frozen_blocks_keep_their_weights_and_others_train(kind, more):
    before, model = trained(kind, FAMILIES["dcgan"][0](), 1, **more)
    after = dict(model.discriminator.named_parameters())
    unchanged = {name for name, weight in before.items() if "head" not in name and torch.equal(weight, after[name])}
    assert unchanged == {name for name in before if name.startswith("body.0.")}


def test_so_many_blocks_as_there_are():
    before, model = trained(GAN, MLPDiscriminator(SHAPE, (8, 6)), 2)
    after = dict(model.discriminator.named_parameters())
    assert {name for name in before if not torch.equal(before[name], after[name])} == {
        "head.linear.weight",
        "head.linear.bias",
    }


@pytest.mark.parametrize(
    ("networks", "message"),
    [
        ((MLPGenerator(4, SHAPE), MLPDiscriminator(SHAPE, (8, 6))), "MLPDiscriminator has 2 blocks before its last"),
        ((ScalarGenerator(), ScalarDiscriminator()), "ScalarDiscriminator has no blocks; choose another network="),
        ((MLPGenerator(4, SHAPE), BEGANDiscriminator(SHAPE)), "BEGANDiscriminator has no blocks; choose another net"),
    ],
)
def test_too_many(networks, message):
    with pytest.raises(UserError, match=re.escape(f"model.freeze_discriminator=3: {message}")):
        GAN(*networks, freeze_discriminator=3)


def test_random_weights_are_not_frozen():
    assert "add init_from=<run, checkpoint or exported model>" in refusal("model.freeze_discriminator=1")


@pytest.mark.slow
def test_resume_and_a_branch_are_exact(train, tmp_path):
    source = train("source", *TINY, "trainer.max_steps=5")
    command = (*TINY, f"init_from={source.folder}", "model.freeze_discriminator=1", "seed=1")
    whole = train("whole", *command, "trainer.max_steps=6", "callbacks.checkpoints.keep_every_n_steps=3")
    train("new", *command, "trainer.max_steps=3")
    resumed = train("new", f"resume={tmp_path / 'new'}", "trainer.max_steps=6")
    branch = train("branch", f"branch_from={whole.folder}/checkpoints/step_00000003.ckpt")
    together = train("together", *command, "trainer.max_steps=6", "trainer.devices=2")
    for other in (resumed, branch):
        assert training_differences(other, whole) == []
    name = "discriminator.body.1.weight"
    for run in (whole, together):
        assert run.code == 0, run.output
        assert torch.equal(run.checkpoint["state_dict"][name], source.checkpoint["state_dict"][name])
