"""Penalties at the samples of the loss take the loss's logits: the same gradients, fewer calls of D."""

from functools import partial

import pytest
import torch

from gan_lightning.losses import penalties
from gan_lightning.losses.terms import total
from gan_lightning.models import GAN, alternating, simultaneous
from gan_lightning.models.batch import Batch
from gan_lightning.models.draws import Draws
from tests.models.test_gan import networks

DRAWS = Draws(3, 0, torch.device("cpu"))
PENALTIES = {
    "r1": partial(penalties.r1, weight=0.7),
    "r2": partial(penalties.r2, weight=0.3),
    "wgan_gp": partial(penalties.wgan_gp, weight=2.0),
    "dragan": partial(penalties.dragan, weight=0.5, std=0.2),
    "dragan_uniform": partial(penalties.dragan_uniform, weight=0.5, scale=0.5),
}
CALLS = {"r1": 2, "r2": 2, "wgan_gp": 3, "dragan": 3, "dragan_uniform": 3}


def model_with(names, **more):
    torch.manual_seed(0)
    model = GAN(*networks(), penalties={name: PENALTIES[name] for name in names}, seed=3, **more).double()
    for parameter in model.parameters():
        parameter.data.mul_(1.5).add_(0.01)  # no weight is 0, and no gradient vanishes
    return model


def gradients(model, terms):
    return torch.autograd.grad(total(terms), list(model.discriminator.parameters()))


@pytest.mark.parametrize("players", [("discriminator",), ("discriminator", "generator")])
@pytest.mark.parametrize("names", [["r1"], ["r2"], ["wgan_gp"], ["dragan"], ["r1", "r2"], list(PENALTIES)])
def test_the_gradients_are_those_of_separate_calls(names, players):
    model, plain = model_with(names), model_with([])
    real = Batch(torch.rand(6, 1, 8, 8, dtype=torch.float64) * 2 - 1, None)
    found = gradients(model, model.losses(players, real, DRAWS)["terms"]["discriminator"])
    with torch.no_grad():
        fake = plain.fake_batch(players, real, DRAWS).samples
    separate = {
        name: PENALTIES[name](plain.discriminator, real.samples, fake, partial(DRAWS.noise, 6, name)) for name in names
    }
    expected = gradients(plain, plain.losses(players, real, DRAWS)["terms"]["discriminator"] | separate)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("names", [[], ["r1"], ["r2"], ["wgan_gp"], ["dragan"], ["r1", "r2"]])
def test_how_often_d_is_called(names):
    model, calls = model_with(names), []
    model.discriminator.register_forward_hook(lambda *_: calls.append(1))
    model.losses(("discriminator",), Batch(torch.rand(6, 1, 8, 8, dtype=torch.float64), None), DRAWS)
    assert len(calls) == max([CALLS[name] for name in names], default=2)


def test_a_lazy_penalty_costs_nothing_in_other_batches():
    model = model_with(["r1"], penalty_every=2)
    real = Batch(torch.rand(6, 1, 8, 8, dtype=torch.float64), None)
    assert "r1" not in model.losses(("discriminator",), real, DRAWS)["terms"]["discriminator"]
    assert not real.samples.requires_grad


def test_under_autocast_a_penalty_has_a_call_of_its_own():
    """The logits of the loss have 16 bits there."""
    torch.manual_seed(0)
    model = GAN(*networks(), penalties={"r1": PENALTIES["r1"]}, seed=3)
    real, calls = Batch(torch.rand(6, 1, 8, 8), None), []
    expected = penalties.r1(model.discriminator, real.samples, real.samples, weight=0.7)
    model.discriminator.register_forward_hook(lambda *_: calls.append(1))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = model.losses(("discriminator",), real, DRAWS)["terms"]["discriminator"]
    assert len(calls) == 3
    torch.testing.assert_close(terms["r1"], expected)


def test_both_phases_train(train):
    for phases in (alternating.__name__, simultaneous.__name__):
        run = train(
            phases,
            "trainer=cpu",
            "model/penalties=[r1,r2]",
            f"model/phases={phases}",
            "trainer.max_steps=2",
            "data.limit=64",
            "data.batch_size=16",
            "callbacks.progress=null",
            "callbacks.samples=null",
        )
        assert run.code == 0, run.output
