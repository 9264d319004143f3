"""Spectral normalization of both networks."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import _SpectralNorm
from torch.nn.utils.parametrize import is_parametrized

from gan_lightning.callbacks import GeneratorEMA
from gan_lightning.models import BigGAN
from gan_lightning.models.draws import Draws
from gan_lightning.models.step import Batch
from gan_lightning.networks import BigGANDiscriminator, BigGANGenerator, R3GANDiscriminator, R3GANGenerator
from tests.models.composed import build_both
from tests.models.test_gan import ADAM, fit

SHAPE = [1, 8, 8]


def model_of(**more) -> BigGAN:
    torch.manual_seed(0)
    options = {"condition_dim": 3 * more.get("conditional", False)}
    generator = BigGANGenerator(6, SHAPE, 8, label_embedding_dim=4, attention=8, **options)
    return BigGAN(
        generator, BigGANDiscriminator(SHAPE, base_channels=8, attention=4, **options), optimizer=ADAM, **more
    )


def normalized(network: nn.Module) -> list[nn.Module]:
    return [layer for layer in network.modules() if is_parametrized(layer)]


def largest(network: nn.Module) -> list[float]:
    matrices = (layer.weight.detach().flatten(1).numpy() for layer in normalized(network))
    return [np.linalg.svd(matrix, compute_uv=False)[0] for matrix in matrices]


def test_every_weight_of_both_has_a_largest_singular_value_of_one_but_the_shared_embedding():
    model = model_of(conditional=True)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    condition = torch.eye(3)
    for _ in range(200):
        model.discriminator(model.generator(torch.randn(3, 6), condition), condition)
    model.eval()
    for network, count in ((model.generator, 1 + 7 + 4 + 1), (model.discriminator, 3 + 4 + 2 + 2)):
        assert largest(network) == pytest.approx([1.0] * count, rel=1e-3)
    assert torch.linalg.matrix_norm(model.generator.embedding.weight, 2) > 1.5
    assert not is_parametrized(model.generator.embedding)


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_the_power_method_takes_one_step_an_update(monkeypatch, player):
    """For each layer of both networks: D sees two batches, and G generates in either update."""
    model, steps = model_of(), []
    iterate = _SpectralNorm._power_method
    monkeypatch.setattr(
        _SpectralNorm, "_power_method", lambda self, *given: steps.append(self) or iterate(self, *given)
    )
    terms = model.losses((player,), Batch(torch.rand(3, *SHAPE), None), Draws(0, 0, torch.device("cpu")))["terms"]
    assert len(steps) == len(set(steps)) == len(normalized(model))
    gradients = torch.autograd.grad(sum(terms[player].values()), list(model.networks()[player].parameters()))
    assert sum(bool(gradient.any()) for gradient in gradients) > len(gradients) / 2


class Weights(BigGAN):
    """Keeps G's weights, before normalization, after every batch."""

    def on_train_batch_end(self, *_):
        self.history.append([p.detach().clone() for p in self.generator.parameters()])


def test_the_average_is_of_the_weights_before_normalization():
    plain = model_of()
    model = Weights(plain.generator, plain.discriminator, optimizer=ADAM)
    model.history = []
    average = [p.detach().clone() for p in model.generator.parameters()]
    fit(model, max_steps=5, callbacks=[GeneratorEMA(decay=0.7)])
    for update, weights in enumerate(model.history, start=1):
        decay = min(0.7, (1 + update) / (10 + update))
        average = [decay * a + (1 - decay) * w for a, w in zip(average, weights, strict=True)]
    expected = copy.deepcopy(model.generator).eval()
    for parameter, value in zip(expected.parameters(), average, strict=True):
        parameter.data.copy_(value)
    z = model.fixed_z(3, seed=0)
    torch.testing.assert_close(next(model.generate(z)), expected(z))
    assert not torch.allclose(next(model.generate(z, raw=True)), expected(z))


def test_generating_moves_no_singular_vector():
    model = model_of(standing_statistics=2)
    model.track_ema()
    before = copy.deepcopy(model.state_dict())
    model.train().sample(3)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_generator_that_starts_at_zero_is_named():
    with pytest.raises(ValueError, match=r"network=R3GANGenerator: it starts .* at 0, which spectral normalization"):
        BigGAN(R3GANGenerator(4, SHAPE, 2, group_width=2), R3GANDiscriminator(SHAPE, 2, group_width=2))


@pytest.mark.parametrize(("size", "attention"), [(28, 14), (256, 64)])
def test_attention_stands_at_half_of_the_image_and_at_most_at_64(size, attention):
    widths = ("network.generator.base_channels=2", "network.discriminator.base_channels=2")
    model, _ = build_both(
        "model=biggan", "network=biggan", *widths, "trainer=cpu", f"data.image_shape=[1,{size},{size}]"
    )
    assert [network.spec["network"]["attention"] for network in (model.generator, model.discriminator)] == [
        attention
    ] * 2
