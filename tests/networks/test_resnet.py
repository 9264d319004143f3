"""SNGAN's residual networks: the paper's tables counted by hand, conditional batch norm."""

import numpy as np
import pytest
import torch
from torch import nn

from gan_lightning.networks import ResNetDiscriminator, ResNetGenerator
from gan_lightning.networks.conditioning import ConditionalBatchNorm
from gan_lightning.networks.resnet import DiscriminatorBlock, GeneratorBlock


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def conv(width_in: int, width_out: int, kernel: int = 3) -> int:
    return (width_in * kernel**2 + 1) * width_out


def test_the_papers_networks_for_32x32_by_hand():
    generator = ResNetGenerator(128, [3, 32, 32], channels=[256, 256, 256])
    block = 2 * 512 + 2 * conv(256, 256) + conv(256, 256, 1)
    assert count(generator) == 129 * 4 * 4 * 256 + 3 * block + 512 + conv(256, 3) == 4_276_739
    discriminator = ResNetDiscriminator([3, 32, 32], channels=[128] * 4, num_downsamples=2)
    first = conv(3, 128) + conv(128, 128) + conv(3, 128, 1)
    down = 2 * conv(128, 128) + conv(128, 128, 1)
    assert count(discriminator) == first + down + 2 * 2 * conv(128, 128) + 129 == 1_053_825
    assert discriminator.body[:-2](torch.randn(1, 3, 32, 32)).shape == (1, 128, 8, 8)


def test_widths_that_do_not_fit_are_named():
    with pytest.raises(
        ValueError, match=r"channels=\[4, 4, 4\] cannot make an image of 28x28: expected multiples of 8"
    ):
        ResNetGenerator(3, [1, 28, 28], channels=[4, 4, 4])
    with pytest.raises(ValueError, match=r"num_downsamples=3 cannot make an image of 28x28: expected multiples of 8"):
        ResNetDiscriminator([1, 28, 28], num_downsamples=3)
    with pytest.raises(ValueError, match=r"channels=\[4\]: expected at least 2, one for each"):
        ResNetDiscriminator([1, 28, 28], channels=[4])


def test_a_generator_block_computes_what_the_paper_draws():
    block = GeneratorBlock(3, 5, condition_dim=0).eval()
    x = torch.randn(2, 3, 4, 4)
    double = x.relu().repeat_interleave(2, 2).repeat_interleave(2, 3) / np.sqrt(1 + 1e-5)  # fresh statistics: 0 and 1
    first, second = block.first[-1], block.second[-1]
    residual = second((first(double) / np.sqrt(1 + 1e-5)).relu())
    expected = residual + block.shortcut[0](x.repeat_interleave(2, 2).repeat_interleave(2, 3))
    torch.testing.assert_close(block(x, None), expected)


@pytest.mark.parametrize("first", [False, True])
def test_a_discriminator_block_computes_what_the_paper_draws(first):
    block = DiscriminatorBlock(3, 5, halve=True, first=first)
    one, two = (layer for layer in block.residual if isinstance(layer, nn.Conv2d))
    inner = 5 if first else 3
    assert (one.out_channels, two.in_channels) == (inner, inner)
    x = torch.randn(2, 3, 4, 4)
    whole = two(one(x if first else x.relu()).relu()) + block.shortcut[-1](x)
    torch.testing.assert_close(block(x), whole.view(2, 5, 2, 2, 2, 2).mean((3, 5)))


def test_a_block_that_changes_nothing_has_the_identity_beside_it():
    block = DiscriminatorBlock(3, 3, halve=False)
    for layer in block.residual:
        if isinstance(layer, nn.Conv2d):
            nn.init.zeros_(layer.weight)
    x = torch.randn(2, 3, 4, 4)
    assert torch.equal(block(x), x)


def test_in_half_precision():
    generator, discriminator = (
        ResNetGenerator(3, [1, 16, 16], base_channels=3),
        ResNetDiscriminator([1, 16, 16], base_channels=3),
    )
    with torch.autocast("cpu", torch.bfloat16):
        logits = discriminator(generator(torch.randn(2, 3)))
    logits.float().sum().backward()
    assert {value.dtype for value in discriminator.state_dict().values()} == {torch.float32}


# Conditional batch norm


def test_conditional_batch_norm_against_a_loop():
    norm = ConditionalBatchNorm(2, condition_dim=3)
    x, condition = torch.randn(4, 2, 3, 3), torch.tensor([[1.0, 0, 0], [0, 1, 1], [0, 0, 0], [0, 0, 1]])
    with torch.no_grad():
        norm.affine.weight.normal_()
        norm.affine.bias.normal_()
    weight, bias = norm.affine.weight.detach().numpy(), norm.affine.bias.detach().numpy()
    expected = np.zeros((4, 2, 3, 3))
    for channel in range(2):
        values = x[:, channel].numpy()
        for sample in range(4):
            scale, shift = bias[channel], bias[2 + channel]
            for label in range(3):
                scale += condition[sample, label].item() * weight[channel, label]
                shift += condition[sample, label].item() * weight[2 + channel, label]
            normed = (values[sample] - values.mean()) / np.sqrt(values.var() + 1e-5)
            expected[sample, channel] = normed * scale + shift
    np.testing.assert_allclose(norm(x, condition).detach().numpy(), expected, rtol=1e-4, atol=1e-5)


def test_conditional_batch_norm_starts_as_batch_norm():
    x = torch.randn(4, 2, 3, 3)
    plain = nn.BatchNorm2d(2)(x)
    assert torch.equal(ConditionalBatchNorm(2, 0)(x, None), plain)
    assert torch.equal(ConditionalBatchNorm(2, 5)(x, torch.zeros(4, 5)), nn.BatchNorm2d(2, affine=False)(x))
