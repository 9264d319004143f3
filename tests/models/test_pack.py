"""PacGAN: D sees several samples at a time, along their channels, and gives them one logit."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch.nn.functional import softplus

from gan_lightning import losses, models, rng
from gan_lightning.errors import UserError
from gan_lightning.losses import AdaptiveAugment, ClassifierHead, DiffAugment, penalties
from gan_lightning.models import GAN
from gan_lightning.models.batch import Batch
from gan_lightning.models.draws import Draws
from gan_lightning.models.packing import pack, unpack
from gan_lightning.networks import MaxoutDiscriminator, MaxoutGenerator, MLPDiscriminator, MLPGenerator
from tests.conftest import TINY, refusal
from tests.models.composed import SMALL, build_model, composed
from tests.models.test_gan import SGD, fit
from tests.models.test_training_aids import largest_difference

SHAPE, COUNT, LATENT, PACK = [2, 4, 4], 12, 6, 3
DRAWS = Draws(3, 0, torch.device("cpu"))


def packed_gan(kind=GAN, condition_dim=0, **more):
    torch.manual_seed(0)
    generator = MLPGenerator(LATENT, SHAPE, [8], condition_dim=condition_dim)
    discriminator = MLPDiscriminator([PACK * SHAPE[0], *SHAPE[1:]], [8], condition_dim=PACK * condition_dim)
    return kind(generator, discriminator, pack=PACK, conditional=condition_dim > 0, seed=3, **more)


def batch(condition=None):
    return Batch(torch.randn(COUNT, *SHAPE, generator=torch.Generator().manual_seed(1)), condition)


def z(purpose):
    return torch.randn(COUNT, LATENT, generator=rng.generator("latent", purpose, 3, 0))


def side_by_side(rows):
    """The packs, one by one: rows 0, 1 and 2 along the channels, then rows 3, 4 and 5, ..."""
    return torch.stack([torch.cat([rows[first + i] for i in range(PACK)]) for first in range(0, len(rows), PACK)])


def terms(model, player, real=None):
    return model.losses((player,), real or batch(), DRAWS)["terms"][player]


@pytest.mark.parametrize("shape", [(5,), (2, 3, 4)])
def test_a_pack_is_neighbors_along_the_channels(shape):
    rows = torch.randn(COUNT, *shape)
    packs = pack(rows, PACK)
    assert torch.equal(packs, side_by_side(rows))
    assert torch.equal(unpack(packs, PACK), rows)


def test_the_losses_are_those_of_the_formula():
    model = packed_gan()
    real, fake = (
        model.discriminator(side_by_side(samples)) for samples in (batch().samples, model.generator(z("discriminator")))
    )
    assert real.shape == (COUNT // PACK,)
    found = terms(model, "discriminator")
    torch.testing.assert_close(found["real"], softplus(-real).mean())
    torch.testing.assert_close(found["fake"], softplus(fake).mean())
    fake = model.discriminator(side_by_side(model.generator(z("generator"))))
    torch.testing.assert_close(terms(model, "generator")["fake"], softplus(-fake).mean())


def test_each_sample_of_a_pack_has_a_gradient():
    model = packed_gan()
    real = batch()
    samples = real.samples.requires_grad_()
    (slope,) = torch.autograd.grad(terms(model, "discriminator", real)["real"], samples)
    assert slope.flatten(1).abs().sum(1).min() > 0
    terms(model, "generator")["fake"].backward()
    assert all(p.grad.abs().sum() > 0 for p in model.generator.parameters())


def test_a_condition_is_as_wide_as_its_pack():
    labels = torch.eye(4)[torch.arange(COUNT) % 4]
    model = packed_gan(condition_dim=4)
    real = batch(labels)
    expected = softplus(-model.discriminator(side_by_side(real.samples), side_by_side(labels))).mean()
    torch.testing.assert_close(terms(model, "discriminator", real)["real"], expected)


def test_penalties_take_a_pack_for_a_sample():
    model = packed_gan(
        penalties={"r1": partial(penalties.r1, weight=2.0), "gp": partial(penalties.wgan_gp, weight=1.0)}
    )
    real = side_by_side(batch().samples).requires_grad_()
    (slope,) = torch.autograd.grad(model.discriminator(real).sum(), real)
    found = terms(model, "discriminator")
    torch.testing.assert_close(found["r1"].detach(), slope.square().sum((1, 2, 3)).mean())
    alpha = torch.rand(COUNT // PACK, 1, 1, 1, generator=rng.generator("rows", "gp", 3, 0))
    fake = side_by_side(model.generator(z("discriminator"))).detach()
    between = (alpha * real + (1 - alpha) * fake).detach().requires_grad_()
    (slope,) = torch.autograd.grad(model.discriminator(between).sum(), between)
    torch.testing.assert_close(found["gp"].detach(), (slope.square().sum((1, 2, 3)).sqrt() - 1).square().mean())


class FirstChannel(DiffAugment):
    """Adds 1 to the first channel of every image, and fails if they do not have the data's channels."""

    def forward(self, images):
        assert images.shape[1:] == torch.Size(SHAPE)
        return images + torch.eye(SHAPE[0])[0].view(-1, 1, 1)


def test_an_augmentation_sees_single_samples():
    model = packed_gan(augment=FirstChannel())
    moved = batch().samples
    moved[:, 0] += 1
    expected = softplus(-model.discriminator(side_by_side(moved))).mean()
    torch.testing.assert_close(terms(model, "discriminator")["real"], expected)


@pytest.mark.parametrize("phases", [models.alternating, models.simultaneous])
def test_micro_batches_are_the_batch(phases):
    def trained(**more):
        torch.manual_seed(0)
        generator, discriminator = MLPGenerator(LATENT, [1, 8, 8], [8]), MLPDiscriminator([4, 8, 8], [8])
        model = GAN(generator, discriminator, pack=4, optimizer=SGD, phases=phases, seed=5, **more)
        fit(model, max_steps=3)
        return model

    whole = trained()
    assert largest_difference(whole, trained(accumulate=4)) < 1e-6
    with pytest.raises(UserError, match=r"model.pack=4: expected a divisor of the 2 samples"):
        trained(accumulate=16)


RUN = (*TINY, "trainer.max_steps=10", "data.batch_size=64", "network.generator.batch_norm=false", "model.pack=2")


def test_the_packs_of_two_processes_are_those_of_one():
    model = packed_gan(penalties={"gp": partial(penalties.wgan_gp, weight=1.0)})
    model.generator = MLPGenerator(LATENT, SHAPE, [8], batch_norm=False)
    halves = [
        model.losses(("discriminator",), half, replace(DRAWS, shard=shard, num_shards=2))["terms"]["discriminator"]
        for shard, half in enumerate(batch().chunk(2))
    ]
    for name, whole in terms(model, "discriminator").items():
        torch.testing.assert_close(torch.stack([half[name] for half in halves]).mean(), whole)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["gan_r1", "cgan"])
def test_two_processes_are_one(train, model):
    alone = train("alone", *RUN, f"model={model}")
    together = train("together", *RUN, f"model={model}", "trainer.devices=2")
    assert together.code == 0, together.output
    weights = (run.checkpoint["state_dict"] for run in (alone, together))
    for one, other in zip(*(state.values() for state in weights), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


@pytest.mark.parametrize("variant", ["cgan", "projection", "began", "r3gan", "wgan_gp", "lsgan"])
def test_a_configuration_says_pack_once(variant):
    network = ("network=autoencoder", "~network.discriminator.hidden_dims") if variant == "began" else ("network=mlp",)
    small = [value for value in SMALL if variant != "began" or "discriminator" not in value]
    model = build_model(f"model={variant}", *network[:1], *small, "model.pack=2")
    labels = torch.eye(10)[torch.arange(4)] if model.conditional else None
    real = Batch(torch.randn(4, 1, 8, 8), labels).packed(2)
    assert model.discriminator(real.samples, real.condition).shape == (2,)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"kind": models.InfoGAN, "categories": 2}, r"model.pack=3: the heads info need D's features"),
        ({"heads": {"class": partial(ClassifierHead, num_classes=3)}}, r"model.pack=3: the heads class need"),
        ({"augment": AdaptiveAugment()}, r"model.pack=3: AdaptiveAugment counts images"),
        ({"kind": models.MatchingAwareGAN, "condition_dim": 3}, r"model.pack=3: the matching-aware GAN"),
        ({"kind": partial(models.DensityMatchingGAN, mean=0.0, std=1.0)}, r"model.pack=3: stratified latents"),
    ],
)
def test_what_needs_single_samples_is_refused(more, message):
    with pytest.raises(ValueError, match=message):
        packed_gan(**more)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("model.pack=0",), "model.pack=0: expected a whole number from 1 to 1024"),
        (("model.pack=3",), "model.pack=3: expected a divisor of the 64 samples that a process has at once"),
        (("model.pack=4", "trainer.devices=32"), "model.pack=4: expected a divisor of the 2 samples"),
        (
            ("model.pack=2", "network.discriminator.image_shape=[1,28,28]"),
            "network.discriminator.image_shape=[1, 28, 28]: expected data.image_shape=[1, 28, 28] with model.pack=2 "
            "times the channels, [2, 28, 28]",
        ),
        (
            ("model=cgan", "model.pack=2", "network.discriminator.condition_dim=10"),
            "network.discriminator.condition_dim=10",
        ),
        (
            ("experiment=gaussian_1d", "model.pack=2"),
            "ScalarDiscriminator is for numbers, data.image_shape=[1] and model.pack",
        ),
        (("experiment=gaussians_grid", "data.extent=4"), "data.extent=4: MLPGenerator ends in tanh, and the data lies"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(options, message):
    assert message in refusal(*options)


def test_a_shape_that_is_none_is_reported_where_it_is_set():
    assert refusal("data.image_shape=[0,4,4]", "model.pack=2").count("image_shape=") == 1


def test_maxout_is_the_largest_of_its_maps():
    discriminator = MaxoutDiscriminator([3], [4, 5], pieces=2)
    x = hidden = torch.randn(7, 3)
    for layer in discriminator.body[1:]:
        maps = layer.linear(hidden)
        width = maps.shape[1] // 2
        hidden = torch.maximum(maps[:, :width], maps[:, width:])
    torch.testing.assert_close(discriminator(x), discriminator.head.linear(hidden).squeeze(1))
    assert [layer.linear.out_features for layer in discriminator.body[1:]] == [8, 10]


def test_the_networks_of_the_paper():
    """The numbers of weights that the authors' configuration has, and N(0, 0.02)."""
    config = composed("reproduce=pacgan_grid", "model.pack=4", "seed=0", "hydra.mode=RUN")
    discriminator = MaxoutDiscriminator(config["network"]["discriminator"]["image_shape"])
    generator = MaxoutGenerator(2, [2], bounded=False)
    assert sum(p.numel() for p in discriminator.parameters()) == 1000 * (8 + 1) + 2 * 1000 * 201 + 201
    assert sum(p.numel() for p in generator.parameters()) == 2 * 400 + 3 * 400**2 + 4 * 2 * 400 + 2 * 401
    for network in (generator, discriminator):
        weights = torch.cat([p.flatten() for p in network.parameters() if p.ndim == 2])
        assert weights.std().item() == pytest.approx(0.02, rel=0.02)
    assert generator(torch.randn(9, 2)).shape == (9, 2)
    assert not any(isinstance(layer, torch.nn.Tanh) for layer in generator.layers)
    assert MaxoutGenerator(2, [1, 4, 4])(torch.randn(9, 2)).abs().max() <= 1


def test_lecam_sees_the_logits_of_packs():
    model = packed_gan(regularizers={"lecam": losses.LeCam(weight=0.1)})
    output = model.losses(("discriminator",), batch(), DRAWS)
    assert output["logits"]["real"].shape == (COUNT // PACK,)
    assert "lecam" in output["terms"]["discriminator"]
