"""Spectral normalization of any discriminator."""

import copy
import io
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import _SpectralNorm

from gan_lightning.losses import penalties
from gan_lightning.models import SNGAN
from gan_lightning.models.draws import Draws
from gan_lightning.models.sngan import spectrally_normalized
from gan_lightning.models.step import Batch
from gan_lightning.networks import MLPDiscriminator, MLPGenerator, ResNetDiscriminator, StyleGAN2Discriminator


def bare_network() -> nn.Module:
    return ResNetDiscriminator([3, 16, 16], base_channels=3, condition_dim=4)


def weights(discriminator: nn.Module) -> list[np.ndarray]:
    layers = [layer for layer in discriminator.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    return [layer.weight.detach().flatten(1).numpy() for layer in layers]


def largest(discriminator: nn.Module) -> list[float]:
    return [np.linalg.svd(weight, compute_uv=False)[0] for weight in weights(discriminator)]


def test_every_weight_has_a_largest_singular_value_of_one():
    torch.manual_seed(0)
    discriminator = spectrally_normalized(bare_network())
    with torch.no_grad():
        for parameter in discriminator.parameters():
            parameter.normal_()
    image, condition = torch.randn(1, 3, 16, 16), torch.eye(4)[:1]
    for _ in range(200):
        discriminator(image, condition)
    values = largest(discriminator.eval())
    assert len(values) == 3 + 3 + 2 + 2  # two halving blocks, one that keeps the size, linear and projection
    assert values == pytest.approx([1.0] * len(values), rel=1e-3)
    bare = largest(bare_network())
    assert bare != pytest.approx([1.0] * len(values), rel=1e-2)


def test_the_power_iteration_rests_in_eval_mode():
    discriminator = spectrally_normalized(ResNetDiscriminator([1, 16, 16], base_channels=3))
    image = torch.randn(2, 1, 16, 16)

    def moved() -> list[str]:
        before = copy.deepcopy(discriminator.state_dict())
        discriminator(image)
        return [name for name, value in discriminator.state_dict().items() if not torch.equal(value, before[name])]

    discriminator.eval()
    assert moved() == []
    discriminator.train()
    assert any(name.endswith("_u") for name in moved())


def test_a_checkpoint_restores_the_power_iteration():
    one, other = (
        spectrally_normalized(ResNetDiscriminator([1, 16, 16], base_channels=3, condition_dim=2)) for _ in range(2)
    )
    file = io.BytesIO()
    torch.save(one.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    twin = copy.deepcopy(one)
    image, condition = torch.randn(2, 1, 16, 16), torch.eye(2)
    for _ in range(2):  # the second call sees what the first left
        logits = one(image, condition)
        assert torch.equal(other(image, condition), logits)
        assert torch.equal(twin(image, condition), logits)


def test_the_power_method_takes_one_step_an_update(monkeypatch):
    steps = []
    iterate = _SpectralNorm._power_method
    monkeypatch.setattr(
        _SpectralNorm, "_power_method", lambda self, *given: steps.append(self) or iterate(self, *given)
    )
    penalty = {"r1": partial(penalties.wgan_gp, weight=1.0)}
    model = SNGAN(MLPGenerator(4, [1, 8, 8], [8]), MLPDiscriminator([1, 8, 8], [8]), penalties=penalty)
    steps.clear()
    real = Batch(torch.rand(3, 1, 8, 8), None)
    for player in ("discriminator", "generator"):
        terms = model.losses((player,), real, Draws(0, 0, torch.device("cpu")))["terms"][player]
        assert len(steps) == len(set(steps)) == 2  # layers
        sum(terms.values()).backward()
        steps.clear()
    with torch.no_grad():
        before = model.discriminator(real.samples)
        model.discriminator.body[1].parametrizations.weight.original.mul_(0).add_(torch.eye(8, 64))
        assert not torch.equal(model.discriminator(real.samples), before)  # nothing is kept after the losses


def test_in_half_precision():
    discriminator = spectrally_normalized(ResNetDiscriminator([1, 16, 16], base_channels=3))
    with torch.autocast("cpu", torch.bfloat16):
        discriminator(torch.randn(2, 1, 16, 16)).float().sum().backward()
    assert {value.dtype for value in discriminator.state_dict().values()} == {torch.float32}


def test_sngan_normalizes_whatever_discriminator_it_is_given():
    model = SNGAN(MLPGenerator(4, [1, 8, 8], [8]), MLPDiscriminator([1, 8, 8], [8]))
    assert {name for name, _ in model.discriminator.named_buffers()} >= {"body.1.parametrizations.weight.0._u"}
    assert not list(model.generator.named_buffers()) or "parametrizations" not in str(
        model.generator.state_dict().keys()
    )


def test_a_layer_that_scales_its_weight_itself_is_refused():
    discriminator = StyleGAN2Discriminator([1, 16, 16], base_channels=2)
    with pytest.raises(ValueError, match=r"StyleGAN2Discriminator has an equalized learning rate: .*another network="):
        spectrally_normalized(discriminator)
