"""Layers that compare the samples of a batch, in every discriminator that takes them."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from gan_lightning.networks import (
    DCGANDiscriminator,
    FaceDiscriminator,
    MinibatchDiscrimination,
    MinibatchStd,
    MLPDiscriminator,
    R3GANDiscriminator,
    ResNetDiscriminator,
)
from tests.networks.test_r3gan import count

FAMILIES: dict[str, tuple[Any, dict]] = {
    "mlp": (MLPDiscriminator, {"hidden_dims": [7, 6]}),
    "dcgan": (DCGANDiscriminator, {"channels": [4, 5], "strides": [2, 2]}),
    "resnet": (ResNetDiscriminator, {"channels": [4, 5], "num_downsamples": 2}),
    "r3gan": (R3GANDiscriminator, {"base_channels": 4, "group_width": 8}),
    "faces": (FaceDiscriminator, {"channels": [2, 2], "hidden_dim": 6}),
}


def depends_on_the_others(discriminator: nn.Module) -> bool:
    images = torch.randn(4, 3, 16, 16)
    others = torch.cat([images[:1], torch.randn(3, 3, 16, 16)])
    return not torch.allclose(discriminator(images)[0], discriminator(others)[0])


@pytest.mark.parametrize(("family", "added"), [("mlp", 6), ("dcgan", 5 * 16)])
def test_minibatch_std_is_one_channel_more_for_the_layer_after_it(family, added):
    make, options = FAMILIES[family]
    plain, compares = make([3, 16, 16], **options), make([3, 16, 16], **options, minibatch_std=MinibatchStd(4))
    assert count(compares) - count(plain) == added
    assert depends_on_the_others(compares)
    assert not depends_on_the_others(plain)


def test_minibatch_std_before_the_last_block():
    discriminator = ResNetDiscriminator(
        [3, 16, 16], channels=[4, 5], num_downsamples=2, minibatch_std=MinibatchStd(2, 2)
    )
    assert isinstance(discriminator.body[1], MinibatchStd)
    assert discriminator.body[2].residual[1].in_channels == 4 + 2
    assert depends_on_the_others(discriminator)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("condition_dim", [0, 3])
def test_minibatch_discrimination_in_every_family(family, condition_dim):
    make, options = FAMILIES[family]
    discriminator = make(
        [3, 16, 16],
        **options,
        condition_dim=condition_dim,
        minibatch_discrimination=partial(MinibatchDiscrimination, kernels=4, std=1.0),
    )
    condition = torch.eye(3)[[0, 2]] if condition_dim else None
    assert discriminator.features(torch.randn(2, 3, 16, 16), condition).shape == (2, discriminator.feature_dim)
    assert discriminator(torch.randn(2, 3, 16, 16), condition).shape == (2,)
    assert discriminator.head.linear.in_features == discriminator.feature_dim


def test_groups_of_a_batch_that_the_group_size_does_not_divide():
    x = torch.randn(6, 2, 3)
    std = MinibatchStd(4)(x)[:, 2, 0]
    expected = [x[[i, i + 2, i + 4]].var(0, correction=0).add(1e-8).sqrt().mean() for i in (0, 1)]  # groups of 3
    torch.testing.assert_close(std, torch.stack(expected).repeat(3))
    assert MinibatchStd(4)(x[:1])[0, 2, 0].item() == pytest.approx(1e-4)
