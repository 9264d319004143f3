import torch

from gan_lightning.callbacks import GeneratorEMA
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
