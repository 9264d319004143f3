"""R3GAN's networks: weights counted by hand, initialization, interpolation, basis."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from gan_lightning.networks import R3GANDiscriminator, R3GANGenerator
from gan_lightning.networks.r3gan import ResidualBlock
from gan_lightning.networks.resample import Resample


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def block(width: int, group: int) -> int:
    """1x1 to twice the channels and 3x3 in groups with biases, 1x1 back without."""
    inner = 2 * width
    return (width + 1) * inner + (group * 9 + 1) * inner + inner * width


def test_by_hand():
    options = {"base_channels": 8, "blocks": 2, "group_width": 8}
    generator = R3GANGenerator(10, [1, 28, 28], **options)
    stages = sum(2 * block(width, 8) for width in (32, 16, 8))
    changes = 32 * 16 + 16 * 8
    assert count(generator) == 32 * 7 * 7 + 10 * 32 + stages + changes + 8
    discriminator = R3GANDiscriminator([1, 28, 28], **options)
    assert count(discriminator) == 8 + stages + changes + 32 * 7 * 7 + 32
    told = R3GANGenerator(10, [1, 28, 28], **options, condition_dim=3, label_embedding_dim=5)
    assert count(told) - count(generator) == 3 * 5 + 5 * 32
    told = R3GANDiscriminator([1, 28, 28], **options, condition_dim=3)
    assert count(told) - count(discriminator) == (32 + 3) * 32 - 32  # W and the embedding, instead of one row
    told = R3GANDiscriminator([1, 28, 28], **options, condition_dim=3, join="projection")
    assert count(told) - count(discriminator) == 3 * 32


def test_every_block_starts_as_the_identity():
    network = R3GANDiscriminator([1, 16, 16], base_channels=4, blocks=2)
    blocks = [module for module in network.modules() if isinstance(module, ResidualBlock)]
    assert len(blocks) == 3 * 2
    for one in blocks:
        x = torch.randn(2, one.layers[0].in_channels, 5, 5)
        assert torch.equal(one(x), x)


def test_fix_up_scales_with_the_number_of_blocks():
    torch.manual_seed(0)
    first, _, second, _, last = ResidualBlock(64, expansion=2, group_width=16, total=16).layers
    gain = math.sqrt(2 / (1 + 0.2**2)) / 16**0.25
    assert first.weight.std().item() == pytest.approx(gain / math.sqrt(64), rel=0.05)
    assert second.weight.std().item() == pytest.approx(gain / math.sqrt(16 * 9), rel=0.05)
    assert not last.weight.any()
    assert last.bias is None
    assert not first.bias.any()


def test_resampling_is_bilinear():
    x = torch.randn(2, 3, 6, 8)
    doubled = functional.interpolate(x, scale_factor=2, mode="bilinear")
    halved = functional.interpolate(x, scale_factor=0.5, mode="bilinear", antialias=True)
    for made, expected in ((Resample(up=True)(x), doubled), (Resample(up=False)(x), halved)):
        assert made.shape == expected.shape
        inside = (..., slice(1, -1), slice(1, -1))  # beyond the border the network sees zeros
        torch.testing.assert_close(made[inside], expected[inside])


def test_the_generator_starts_from_a_map_that_z_scales():
    generator = R3GANGenerator(5, [1, 16, 16], base_channels=4, blocks=1)
    z = torch.randn(2, 5)
    scales = z @ generator.modulation.weight.T
    maps = torch.stack([torch.stack([c * s for c, s in zip(generator.basis, row, strict=True)]) for row in scales])
    torch.testing.assert_close(generator(z), generator.layers(maps))


def test_the_discriminator_ends_with_an_inner_product_of_each_channel():
    discriminator = R3GANDiscriminator([1, 16, 16], base_channels=2, blocks=1)
    image = torch.randn(2, 1, 16, 16)
    features, basis = discriminator.body[:-1](image), discriminator.body[-1].weight
    assert features.shape == (2, 8, 4, 4)
    products = (features * basis[:, 0]).sum((2, 3))
    torch.testing.assert_close(discriminator(image), products @ discriminator.head.linear.weight[0])


def test_settings_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"group_width=16: 12 channels times expansion=2.*expected a divisor of 24"):
        R3GANGenerator(5, [1, 16, 16], base_channels=12)
    with pytest.raises(ValueError, match=r"channels=\[8, 8, 8, 8\] cannot make an image of 28x28: expected multiples"):
        R3GANDiscriminator([1, 28, 28], channels=[8, 8, 8, 8])


def test_in_half_precision():
    generator, discriminator = (
        R3GANGenerator(3, [1, 16, 16], base_channels=4),
        R3GANDiscriminator([1, 16, 16], base_channels=4),
    )
    with torch.autocast("cpu", torch.bfloat16):
        logits = discriminator(generator(torch.randn(2, 3)))
    logits.float().sum().backward()
    for network in (generator, discriminator):
        assert {value.dtype for value in network.state_dict().values()} == {torch.float32}
        assert all(parameter.grad.isfinite().all() for parameter in network.parameters())
