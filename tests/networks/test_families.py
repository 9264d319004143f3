"""What every convolutional family does at any size, channels and condition, and the YAML files that build them."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from gan_lightning.cli import generate
from gan_lightning.networks import (
    BEGANDiscriminator,
    BEGANGenerator,
    BigGANDiscriminator,
    BigGANGenerator,
    DCGANDiscriminator,
    DCGANGenerator,
    R3GANDiscriminator,
    R3GANGenerator,
    ResNetDiscriminator,
    ResNetGenerator,
)
from gan_lightning.networks.sizes import count_downsamples, doubling_channels
from tests.conftest import training_differences

FAMILIES: dict[str, tuple[Any, Any, dict]] = {
    "dcgan": (DCGANGenerator, DCGANDiscriminator, {"base_channels": 2}),
    "resnet": (ResNetGenerator, ResNetDiscriminator, {"base_channels": 2}),
    "r3gan": (R3GANGenerator, R3GANDiscriminator, {"base_channels": 2, "group_width": 2}),
    "began": (BEGANGenerator, BEGANDiscriminator, {"base_channels": 2}),
    "biggan": (BigGANGenerator, BigGANDiscriminator, {"base_channels": 2}),
}
LATENT = 7
"""At least as many as the blocks of BigGAN's generator for 256x256, and one more."""

BEFORE_BATCH_NORM = ("blocks.1.second.1.bias", "blocks.1.shortcut.0.bias")
"""Biases that batch norm takes away: their gradients are rounding, or 0."""


def pair(family: str, shape: list[int], condition_dim: int = 0, join: str = "projection") -> tuple[Any, Any]:
    generator, discriminator, options = FAMILIES[family]
    joined = {} if family == "began" else {"join": join}
    return (
        generator(LATENT, shape, **options, condition_dim=condition_dim),
        discriminator(shape, **options, condition_dim=condition_dim, **joined),
    )


def fill_zeros(network: nn.Module) -> nn.Module:
    """A weight that starts at zero holds back the gradients of what is before it, until the first step."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1 and not parameter.any():
                parameter.normal_()
    return network


@pytest.mark.parametrize("condition_dim", [0, 5])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(16, 16), (28, 28), (32, 32), (48, 48), (64, 64), (32, 64), (34, 34)])
@pytest.mark.parametrize("family", FAMILIES)
def test_any_size_and_channels(family, size, channels, condition_dim):
    shape = [channels, *size]
    generator, discriminator = pair(family, shape, condition_dim)
    condition = torch.eye(5)[[0, 3]] if condition_dim else None
    images = generator(torch.randn(2, generator.latent_dim), condition)
    assert images.shape == (2, *shape)
    assert images.abs().max() <= 1
    assert discriminator(images, condition).shape == (2,)


@pytest.mark.parametrize("family", FAMILIES)
def test_256(family):
    generator, discriminator = pair(family, [3, 256, 256])
    assert discriminator(generator(torch.randn(2, LATENT))).shape == (2,)


def test_how_often_a_size_is_halved():
    smallest = {size: size >> count_downsamples([1, size, size]) for size in (16, 28, 32, 40, 48, 64, 96, 128, 256)}
    assert smallest == {16: 4, 28: 7, 32: 4, 40: 5, 48: 6, 64: 4, 96: 6, 128: 4, 256: 4}
    assert doubling_channels(32, 6) == [32, 64, 128, 256, 256, 256]


@pytest.mark.parametrize("shape", [[1, 33, 33], [3, 17, 32], [1, 6, 6]])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_size_that_cannot_be_halved_is_named(family, shape):
    generator, discriminator, options = FAMILIES[family]
    for network in (lambda: generator(LATENT, shape, **options), lambda: discriminator(shape, **options)):
        with pytest.raises(ValueError, match=r"data.image_shape=\[.*cannot be halved; expected an even height"):
            network()


@pytest.mark.parametrize("family", FAMILIES)
def test_data_without_a_size_are_named(family):
    generator, discriminator, options = FAMILIES[family]
    for network in (lambda: generator(3, [1], **options), lambda: discriminator([1], **options)):
        with pytest.raises(ValueError, match=r"data.image_shape=\[1\].*\[channels, height, width\]"):
            network()


@pytest.mark.parametrize("join", ["projection", "inner_product", "concat"])
@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_reach_every_parameter(family, join):
    torch.manual_seed(0)
    for condition_dim in (0, 5):
        networks = pair(family, [3, 16, 16], condition_dim, join)
        generator, discriminator = (fill_zeros(network) for network in networks)
        condition = torch.rand(4, 5) if condition_dim else None
        discriminator(generator(torch.randn(4, LATENT), condition), condition).square().sum().backward()
        for network in networks:
            still = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
            assert [name for name in still if name not in BEFORE_BATCH_NORM] == []


@pytest.mark.parametrize("join", ["projection", "inner_product", "concat"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_condition_changes_image_and_logit(family, join):
    torch.manual_seed(0)
    generator, discriminator = pair(family, [1, 16, 16], 5, join)
    one, other = torch.eye(5)[:2]
    z = torch.randn(1, LATENT).expand(2, -1)
    first, second = generator.eval()(z, torch.stack([one, other]))
    assert not torch.allclose(first, second)
    image = torch.randn(1, 1, 16, 16).expand(2, -1, -1, -1)
    first, second = discriminator.eval()(image, torch.stack([one, other]))
    assert not torch.equal(first, second)


def count(outcome, player: str) -> int:
    """Weights of one player in a run's checkpoint, without statistics."""
    weights = outcome.checkpoint["state_dict"].items()
    learnt = [w for name, w in weights if name.startswith(f"{player}.") and "running" not in name and w.ndim]
    return sum(math.prod(w.shape) for w in learnt)


QUICK = (
    *("trainer=cpu", "trainer.max_steps=2"),
    *(f"callbacks.{name}=null" for name in ("progress", "samples", "report")),
)
TINY = ("data.batch_size=8", "network.generator.latent_dim=8")


def small(family: str) -> tuple[str, ...]:
    widths = tuple(f"network.{player}.base_channels=4" for player in ("generator", "discriminator"))
    return (f"network={family}", *widths, *QUICK, *TINY)


@pytest.mark.parametrize("conditional", ["false", pytest.param("true", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "family", [name if name in ("resnet", "r3gan") else pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES]
)
def test_each_trains_two_steps(trained, tmp_path, family, conditional):
    outcome = trained(*small(family), f"model.conditional={conditional}")
    assert outcome.code == 0, outcome.output
    assert outcome.summary["step"] == 2
    assert all(math.isfinite(outcome.summary["final"][f"loss/{player}"]) for player in ("generator", "discriminator"))
    generate.main([str(outcome.folder), "--num", "2", "--out", str(tmp_path / "two.png")])
    assert (tmp_path / "two.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_each_goes_on_exactly(train, trained, tmp_path, family):
    whole = train("whole", *small(family), "model.conditional=false", "trainer.max_steps=4")
    first = trained(*small(family), "model.conditional=false").copy(tmp_path / "first")
    resumed = train("first", f"resume={first.folder}", "trainer.max_steps=4")
    assert training_differences(resumed, whole) == []


def test_the_default_dcgan_is_a_small_one(train):
    outcome = train("run", "network=dcgan", *QUICK, "data.batch_size=8")
    assert count(outcome, "generator") == 100 * 49 * 64 + 16 * (64 * 32 + 32) + 2 * (64 + 32)
    assert count(outcome, "discriminator") == (16 + 1) * 32 + (32 * 16 + 1) * 64 + 64 * 49 + 1


@pytest.mark.slow
def test_the_recipes_keep_their_networks(train, mnist_root):
    recipe = train("one", "experiment=dcgan_mnist", f"data.root={mnist_root}", *QUICK, "data.batch_size=8")
    assert (count(recipe, "generator"), count(recipe, "discriminator")) == (2_280_896, 212_865)
    recipe = train("other", "experiment=cgan_tags_small", *QUICK, "data.count=64", "data.batch_size=8")
    convolutions = 16 * (128 * 64 + 64 * 32 + 32 * 3)
    assert count(recipe, "generator") == (100 + 25) * 16 * 128 + convolutions + 2 * (128 + 64 + 32)
    convolutions = (48 + 1) * 32 + (32 * 16 + 1) * 64 + (64 * 16 + 1) * 128
    assert count(recipe, "discriminator") == convolutions + (1 + 25) * 128 * 16 + 1


def test_a_size_that_cannot_be_halved_ends_the_run_with_its_reason(train):
    outcome = train("run", "network=resnet", "data.image_shape=[1,33,33]", *QUICK)
    assert outcome.code == 1
    assert "data.image_shape=[1, 33, 33]: 33x33 cannot be halved" in outcome.output
