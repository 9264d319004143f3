"""What is measured of D, of G and of their gradients, on models whose signs are known."""

import pytest
import torch
from torch import nn

from gan_lightning.data import Digits
from gan_lightning.diagnosis import Glance, measure
from gan_lightning.diagnosis.glance import SOME, RealSamples, to_points
from gan_lightning.models import GAN, SAN
from gan_lightning.networks import MLPDiscriminator, MLPGenerator

SHAPE = [1, 8, 8]


class Brightness(nn.Module):
    """A discriminator whose logit is ten times the mean of a sample."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([[10.0]]))

    def forward(self, samples, condition=None):
        return self.scale.squeeze() * samples.flatten(1).mean(1)


def model_of(discriminator, kind=GAN, **parts):
    torch.manual_seed(0)
    return kind(MLPGenerator(image_shape=SHAPE, latent_dim=4, hidden_dims=[8]), discriminator, **parts)


@pytest.fixture(scope="module")
def glance():
    data = Digits(image_shape=SHAPE)
    data.setup("fit")
    return Glance.of(data)


def test_the_logits_are_of_training_held_out_and_generated_samples(glance):
    model = model_of(Brightness())
    signs, points = measure(model, glance, 7, None)
    train, held_out = (10 * real.samples[:SOME].flatten(1).mean(1) for real in (glance.train, glance.held_out))
    fake = 10 * points.mean(1)  # pictures of 8x8 are their own points
    assert points.shape == (SOME, 64)
    larger = sum(float(real > other) + 0.5 * float(real == other) for real in train for other in fake)
    assert signs.separation == pytest.approx(larger / SOME**2, abs=1e-6)
    assert signs.logit == pytest.approx(torch.cat([train, fake]).abs().mean().item(), rel=1e-4)
    if train.mean() > fake.mean():
        expected = (train.mean() - held_out.mean()) / (train.mean() - fake.mean())
        assert signs.overfit == pytest.approx(expected.item(), abs=1e-4)
    else:
        assert signs.overfit != signs.overfit
    assert signs.step == 7


def test_d_that_knows_its_training_samples_overfits(glance):
    known = {tuple(sample.flatten().tolist()) for sample in glance.train.samples}

    class Knows(Brightness):
        def forward(self, samples, condition=None):
            return self.scale.squeeze() * torch.tensor(
                [float(tuple(sample.flatten().tolist()) in known) for sample in samples]
            )

    signs, _ = measure(model_of(Knows()), glance, 1, None)
    assert signs.overfit == pytest.approx(1, abs=0.05)
    assert signs.separation == 1


def test_gradients_and_dead_weights(glance):
    model = model_of(MLPDiscriminator(image_shape=SHAPE, hidden_dims=[8]))
    weights = dict(model.discriminator.named_parameters())
    for parameter in model.discriminator.parameters():
        parameter.grad = torch.full_like(parameter, 0.5)
    first = next(name for name, parameter in weights.items() if parameter.ndim > 1)
    weights[first].grad.zero_()
    signs, _ = measure(model, None, 1, None)
    count = sum(parameter.numel() for name, parameter in weights.items() if name != first)
    assert signs.gradient_d == pytest.approx(0.5 * count**0.5)
    assert signs.gradient_g != signs.gradient_g  # G has had no update
    assert signs.dead == [f"discriminator.{first}"]
    assert set(signs.numbers()) == {"gradient_d"}
    scaled, _ = measure(model, None, 1, None, with_gradients=False)
    assert scaled.numbers() == {}


def test_the_averaged_weights_are_compared_with_the_weights_themselves(glance):
    model = model_of(Brightness())
    model.track_ema()
    before, own = measure(model, glance, 1, None)
    assert before.ema_gap == 0
    with torch.no_grad():
        for parameter in model.generator_ema.parameters():
            parameter.mul_(3)
    after, again = measure(model, glance, 2, own)
    assert torch.equal(own, again)
    assert after.moved == 0  # G itself has not moved
    assert after.ema_gap > 0


def test_measuring_leaves_the_model_as_it_was(glance):
    model = model_of(MLPDiscriminator(image_shape=SHAPE, hidden_dims=[8]))
    model.train()
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    generator = torch.get_rng_state()
    measure(model, glance, 1, None)
    assert torch.equal(torch.get_rng_state(), generator)
    assert all(module.training for module in model.modules())
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())


def test_logits_of_packs_and_of_san():
    samples = torch.randn(10, *SHAPE)
    packed = model_of(MLPDiscriminator(image_shape=[3, 8, 8], hidden_dims=[8]), pack=3)
    assert torch.cat(list(packed.logit_blocks(samples))).shape == (3,)
    san = model_of(MLPDiscriminator(image_shape=SHAPE, hidden_dims=[8]), SAN)
    (logits,) = san.logit_blocks(samples)
    assert not logits.requires_grad
    assert torch.allclose(logits, san.discriminator(samples), atol=1e-5)


def test_points_of_gray_and_color_pictures():
    assert to_points(torch.rand(2, 3, 64, 64)).shape == (2, 192)
    assert Glance(RealSamples(torch.rand(9, 1, 28, 28), None), None).compare(torch.rand(9, 64))["spread"] > 0
