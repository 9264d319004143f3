from functools import partial

import pytest
import torch

from gan_lightning.callbacks import GeneratorEMA
from gan_lightning.models import critic_warmup
from gan_lightning.schedules import Linear
from tests.models.test_gan import ADAM, GAN, fit, networks


class Weights(GAN):
    """Keeps the generator's weights after every batch."""

    def on_train_batch_end(self, *_):
        self.history.append([p.detach().clone() for p in self.generator.parameters()])


def test_the_average_is_the_formulas():
    model = Weights(*networks(), optimizer=ADAM, n_critic=2)
    model.history = []
    start = [p.detach().clone() for p in model.generator.parameters()]
    fit(model, max_steps=40, callbacks=[GeneratorEMA(decay=0.7)])
    average = start
    for update, weights in enumerate(model.history[1::2], start=1):
        decay = min(0.7, (1 + update) / (10 + update))
        average = [decay * a + (1 - decay) * w for a, w in zip(average, weights, strict=True)]
    for got, expected in zip(model.generator_ema.parameters(), average, strict=True):
        torch.testing.assert_close(got, expected)
    for got, expected in zip(model.generator_ema.buffers(), model.generator.buffers(), strict=True):
        assert torch.equal(got, expected)


def test_samples_come_from_the_average_unless_raw():
    model = GAN(*networks(), optimizer=ADAM)
    fit(model, max_steps=10, callbacks=[GeneratorEMA(decay=0.99)])
    average, last = (model.sample(4, raw=raw) for raw in (False, True))
    assert not torch.equal(average, last)


@pytest.mark.parametrize("n_critic", [1, 2])
@pytest.mark.parametrize(
    ("rampup", "schedules", "half_life"),
    [
        (None, {}, lambda images: 300.0),
        (0.05, {}, lambda images: min(300.0, 0.05 * images)),
        (
            None,
            {"ema.half_life": Linear(900.0, 640, start=0.0, unit="images")},
            lambda images: 900 * min(images / 640, 1),
        ),
    ],
)
def test_a_half_life_in_images_is_the_formulas(n_critic, rampup, schedules, half_life):
    """StyleGAN2-ADA's rule: 0.5^(images of an update / half-life), which is at most rampup * images so far."""
    model = Weights(*networks(), optimizer=ADAM, n_critic=n_critic, schedules=schedules)
    model.history = []
    average = [p.detach().clone() for p in model.generator.parameters()]
    fit(model, max_steps=24, callbacks=[GeneratorEMA(decay=None, half_life=300.0, rampup=rampup)])
    for batch, weights in list(enumerate(model.history))[n_critic - 1 :: n_critic]:
        beta = 0.5 ** (32 * n_critic / max(half_life(32 * batch), 1e-8))
        average = [w + beta * (a - w) for a, w in zip(average, weights, strict=True)]
    for got, expected in zip(model.generator_ema.parameters(), average, strict=True):
        torch.testing.assert_close(got, expected)


def test_a_half_life_counts_the_batches_between_uneven_updates():
    phases = partial(critic_warmup, critic_steps=5, first_updates=2, repeat_every=100)
    model = Weights(*networks(), optimizer=ADAM, n_critic=2, phases=phases)
    model.history = []
    average = [p.detach().clone() for p in model.generator.parameters()]
    fit(model, max_steps=14, callbacks=[GeneratorEMA(decay=None, half_life=300.0)])
    for batch, batches in ((4, 5), (9, 5), (11, 2), (13, 2)):
        beta = 0.5 ** (32 * batches / 300)
        average = [w + beta * (a - w) for a, w in zip(average, model.history[batch], strict=True)]
    for got, expected in zip(model.generator_ema.parameters(), average, strict=True):
        torch.testing.assert_close(got, expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"half_life": 100.0}, "callbacks.ema.half_life=100.0, decay=0.999: set one of them, and the other to null"),
        ({"decay": None}, "callbacks.ema.half_life=None, decay=None: set one of them"),
        ({"rampup": 0.05}, "callbacks.ema.rampup=0.05: it limits the half-life; set callbacks.ema.half_life, too"),
    ],
)
def test_a_decay_or_a_half_life(options, message):
    with pytest.raises(ValueError, match=message):
        GeneratorEMA(**options)
