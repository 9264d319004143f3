import itertools

import pytest
import torch
from torch import nn

from gan_lightning.networks import MLPDiscriminator, MLPGenerator


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def linear(*widths: int) -> int:
    return sum((a + 1) * b for a, b in itertools.pairwise(widths))


def test_recipe_1_by_hand():
    generator = MLPGenerator(100, [1, 28, 28], [128, 256, 512, 1024], batch_norm_eps=0.8)
    assert count(generator) == linear(100, 128, 256, 512, 1024, 784) + 2 * (256 + 512 + 1024) == 1_510_032
    norms = [layer for layer in generator.modules() if isinstance(layer, nn.BatchNorm1d)]
    assert [norm.num_features for norm in norms] == [256, 512, 1024]
    assert {norm.eps for norm in norms} == {0.8}
    discriminator = MLPDiscriminator([1, 28, 28], [512, 256])
    assert count(discriminator) == linear(784, 512, 256, 1) == 533_505


def test_recipe_4_by_hand():
    generator = MLPGenerator(64, [1, 28, 28], [256, 256], batch_norm=False, negative_slope=0.0)
    assert count(generator) == linear(64, 256, 256, 784) == 283_920
    assert count(MLPDiscriminator([1, 28, 28], [256, 256])) == linear(784, 256, 256, 1) == 267_009


def test_the_generator_computes_what_its_layers_say():
    generator = MLPGenerator(3, [1, 2, 2], [5], batch_norm=False, negative_slope=0.0)
    first, _, last, _ = generator.layers
    z = torch.randn(4, 3)
    by_hand = torch.tanh((z @ first.weight.T + first.bias).clamp(min=0) @ last.weight.T + last.bias)
    torch.testing.assert_close(generator(z), by_hand.view(4, 1, 2, 2))


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 17, 40)])
def test_any_shape(shape):
    images = MLPGenerator(6, shape)(torch.randn(5, 6))
    assert images.shape == (5, *shape)
    assert images.abs().max() <= 1
    assert MLPDiscriminator(shape)(images).shape == (5,)
