"""Self-attention, and where it stands in the networks that take it; its numbers are in tests/reference."""

import pytest
import torch
from torch import nn

from gan_lightning.networks import (
    BigGANDiscriminator,
    BigGANGenerator,
    DCGANDiscriminator,
    DCGANGenerator,
    ResNetDiscriminator,
    ResNetGenerator,
    SelfAttention,
)

SHAPE = [3, 32, 32]
WITH_ATTENTION = {
    "dcgan": (lambda **more: DCGANGenerator(8, SHAPE, base_channels=4, **more), "generator"),
    "resnet": (lambda **more: ResNetGenerator(8, SHAPE, base_channels=4, **more), "generator"),
    "biggan": (lambda **more: BigGANGenerator(8, SHAPE, base_channels=4, **more), "generator"),
    "dcgan_d": (lambda **more: DCGANDiscriminator(SHAPE, base_channels=4, **more), "discriminator"),
    "resnet_d": (lambda **more: ResNetDiscriminator(SHAPE, base_channels=4, **more), "discriminator"),
    "biggan_d": (lambda **more: BigGANDiscriminator(SHAPE, base_channels=4, **more), "discriminator"),
}


def layers(network: nn.Module) -> list[SelfAttention]:
    return [layer for layer in network.modules() if isinstance(layer, SelfAttention)]


def test_at_first_it_changes_nothing():
    layer, x = SelfAttention(16), torch.randn(2, 16, 6, 8)
    assert torch.equal(layer(x), x)
    layer.gamma.data.fill_(1.0)
    assert not torch.allclose(layer(x), x)


def test_each_position_sees_all_of_a_map_of_any_size_and_few_channels():
    layer, x = SelfAttention(3), torch.randn(1, 3, 7, 5, requires_grad=True)
    layer.gamma.data.fill_(1.0)
    (gradient,) = torch.autograd.grad(layer(x)[0, :, 6, 4].sum(), x)
    pooled = gradient[0, :, :6, :4].unflatten(1, (3, 2)).unflatten(3, (2, 2))
    assert (pooled.abs().amax((0, 2, 4)) > 0).all()  # every window of 2x2 positions, of which the largest count


def test_gradient_penalties_have_its_second_derivative():
    layer = SelfAttention(8).double()
    layer.gamma.data.fill_(0.7)
    x = torch.randn(1, 8, 4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: layer(x).sum((2, 3)), x)


@pytest.mark.parametrize("attention", [8, 16])
@pytest.mark.parametrize("name", WITH_ATTENTION)
def test_it_stands_at_the_map_of_its_height(name, attention):
    make, player = WITH_ATTENTION[name]
    network, seen = make(attention=attention), []
    (layer,) = layers(network)
    layer.register_forward_hook(lambda layer, inputs, output: seen.append(inputs[0].shape[2:]))
    network(torch.randn(2, 8) if player == "generator" else torch.randn(2, *SHAPE))
    assert seen == [(attention, attention)]
    assert layers(make()) == []


@pytest.mark.parametrize("name", WITH_ATTENTION)
def test_a_height_that_no_map_has_is_named(name):
    make, player = WITH_ATTENTION[name]
    with pytest.raises(ValueError, match=rf"network\.{player}\.attention=12: .* heights \d+, .*or null for no"):
        make(attention=12)
