"""The alternating step against a hand-written loop that shares nothing with it but the draws."""

import copy
from functools import partial

import lightning
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from gan_lightning import rng
from gan_lightning.data import Digits
from gan_lightning.losses import NonSaturating, penalties
from gan_lightning.models import GAN
from gan_lightning.networks import MLPDiscriminator, MLPGenerator

SHAPE = [1, 8, 8]
ADAM = partial(torch.optim.Adam, lr=1e-3, betas=(0.5, 0.9))
SGD = partial(torch.optim.SGD, lr=0.1, momentum=0.5)  # leaves rounding errors small, where Adam magnifies them


def networks(batch_norm=True):
    torch.manual_seed(0)
    return MLPGenerator(6, SHAPE, [16, 16], batch_norm=batch_norm), MLPDiscriminator(SHAPE, [16])


def trainer(max_steps, **arguments):
    return lightning.Trainer(
        max_steps=max_steps,
        accelerator="cpu",
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        **{"logger": False} | arguments,
    )


def fit(model, max_steps=12, **arguments):
    runner = trainer(max_steps, **arguments)
    runner.fit(model, Digits(SHAPE, batch_size=32, seed=5))
    return runner


def z(purpose, step):
    return torch.randn(32, 6, generator=rng.generator("latent", purpose, 5, step))


def plain_loop(max_steps, n_critic, clip=None, r1_weight=0.0):
    """Textbook alternation: every gradient computed, detach for D's fakes, torch's BCE."""
    generator, discriminator = networks()
    d_optimizer, g_optimizer = SGD(discriminator.parameters()), SGD(generator.parameters())
    data = Digits(SHAPE, batch_size=32, seed=5)
    data.setup()
    stream = iter(data.train_dataloader())
    ones, zeros = torch.ones(32), torch.zeros(32)
    for step in range(max_steps):
        real = next(stream)[0].float() / 127.5 - 1
        fake = generator(z("discriminator", step))
        d_loss = bce(discriminator(real), ones) + bce(discriminator(fake.detach()), zeros)
        if r1_weight:
            inputs = real.clone().requires_grad_(True)
            gradient = torch.autograd.grad(discriminator(inputs).sum(), inputs, create_graph=True)[0]
            d_loss = d_loss + r1_weight / 2 * gradient.pow(2).sum((1, 2, 3)).mean()
        d_optimizer.zero_grad()
        d_loss.backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(discriminator.parameters(), clip)
        d_optimizer.step()
        if (step + 1) % n_critic == 0:
            g_loss = bce(discriminator(generator(z("generator", step))), ones)
            g_optimizer.zero_grad()
            g_loss.backward()
            if clip:
                torch.nn.utils.clip_grad_norm_(generator.parameters(), clip)
            g_optimizer.step()
    return generator, discriminator


@pytest.mark.parametrize("n_critic", [1, 3])
@pytest.mark.parametrize(("clip", "r1_weight"), [(None, 0.0), (0.1, 0.0), (None, 2.0)])
def test_the_step_is_the_textbooks(n_critic, clip, r1_weight):
    penalty = {"r1": partial(penalties.r1, weight=r1_weight)} if r1_weight else {}
    model = GAN(*networks(), optimizer=SGD, n_critic=n_critic, gradient_clip_norm=clip, penalties=penalty, seed=5)
    fit(model)
    for network, expected in zip(
        (model.generator, model.discriminator), plain_loop(12, n_critic, clip, r1_weight), strict=True
    ):
        for weight, other in zip(network.parameters(), expected.parameters(), strict=True):
            torch.testing.assert_close(weight, other, atol=1e-6, rtol=1e-5)


class Nothing(NonSaturating):
    """Keeps what it is given; D's loss is its penalty."""

    def discriminator(self, real_logits, fake_logits):
        self.given = [real_logits, fake_logits]
        return {"nothing": 0 * real_logits}


def test_in_mixed_precision_logits_and_penalties_and_their_gradients_are_whole():
    r1 = partial(penalties.r1, weight=2.0)
    model = GAN(*networks(), loss=Nothing(), optimizer=SGD, penalties={"r1": r1}, seed=5)
    expected = copy.deepcopy(model.discriminator)
    data = Digits(SHAPE, batch_size=32, seed=5)
    data.setup()
    real = next(iter(data.train_dataloader()))[0].float() / 127.5 - 1
    r1(expected, real, real).backward()
    fit(model, max_steps=1, precision="bf16-mixed")
    assert {logits.dtype for logits in model.loss.given} == {torch.float32}
    for weight, other in zip(model.discriminator.parameters(), expected.parameters(), strict=True):
        moved = other.detach() - 0.1 * (0 if other.grad is None else other.grad)
        torch.testing.assert_close(weight, moved, atol=1e-7, rtol=1e-6)
    assert expected.body[1].weight.grad.abs().max() > 1e-3


@pytest.mark.parametrize("n_critic", [1, 5])
def test_a_step_is_a_batch(n_critic):
    runner = fit(GAN(*networks(), optimizer=ADAM, n_critic=n_critic, seed=5), max_steps=10)
    assert runner.global_step == 10
    assert runner.fit_loop.epoch_loop.total_batch_idx == 9


def test_only_the_moving_player_moves():
    """With a generator that never gets its turn, its weights stay and D's move."""
    generator, discriminator = networks()
    before = copy.deepcopy(generator.state_dict()), copy.deepcopy(discriminator.state_dict())
    fit(GAN(generator, discriminator, optimizer=ADAM, n_critic=100), max_steps=4)
    assert all(torch.equal(generator.state_dict()[k], v) for k, v in before[0].items() if "weight" in k)
    assert not any(torch.equal(discriminator.state_dict()[k], v) for k, v in before[1].items())


def test_each_side_may_have_its_own_rate():
    model = GAN(*networks(), optimizer=ADAM, discriminator_optimizer={"lr": 4e-3, "betas": (0.0, 0.9)})
    runner = fit(model, max_steps=1)
    discriminator, generator = runner.optimizers
    assert discriminator.param_groups[0]["lr"] == 4e-3
    assert discriminator.param_groups[0]["betas"] == (0.0, 0.9)
    assert generator.param_groups[0]["lr"] == 1e-3


def test_a_loss_that_is_not_finite_stops_before_the_optimizer():
    generator, discriminator = networks()
    model = GAN(
        generator, discriminator, optimizer=ADAM, penalties={"bad": lambda d, real, *_: real.sum() * float("nan")}
    )
    before = copy.deepcopy(discriminator.state_dict())
    with pytest.raises(FloatingPointError, match=r"discriminator's loss is not finite at batch 1: .*bad=nan"):
        fit(model)
    assert all(torch.equal(discriminator.state_dict()[name], value) for name, value in before.items())


@pytest.mark.parametrize("fused", [True, False])
def test_clipping_acts_on_unscaled_gradients(fused):
    """A GradScaler multiplies gradients by 65536; clipped before unscaling, hardly anything would be left."""
    model = GAN(*networks(), optimizer=partial(torch.optim.SGD, lr=1.0, fused=fused), gradient_clip_norm=1e-3)
    before = [p.detach().clone() for p in model.discriminator.parameters()]
    scaler = torch.amp.GradScaler("cpu")
    plugin = lightning.pytorch.plugins.MixedPrecision("bf16-mixed", "cpu")
    plugin.scaler = scaler
    runner = trainer(1, plugins=[plugin])
    runner.fit(model, Digits(SHAPE, batch_size=32))
    moved = torch.sqrt(
        sum((a - b).square().sum() for a, b in zip(before, model.discriminator.parameters(), strict=True))
    )
    assert moved.item() == pytest.approx(1e-3, rel=1e-3)


def test_samples_do_not_depend_on_how_many_there_are():
    model = GAN(*networks())
    many = model.sample(130, seed=1)
    assert many.shape == (130, *SHAPE)
    torch.testing.assert_close(model.sample(3, seed=1), many[:3])
    torch.testing.assert_close(torch.cat(list(model.sample_blocks(130, seed=1))), many)
    assert not torch.equal(model.sample(3, seed=2), many[:3])


def test_sampling_leaves_the_training_mode_and_the_statistics():
    model = GAN(*networks()).train()
    statistics = copy.deepcopy(dict(model.generator.named_buffers()))
    model.sample(5)
    assert model.generator.training
    assert all(torch.equal(statistics[name], buffer) for name, buffer in model.generator.named_buffers())


def test_the_generators_loss_is_logged_whatever_the_interval():
    """G moves in every third batch, every fourth is logged: its last terms are shown."""
    logged = []

    class Log(lightning.pytorch.loggers.logger.DummyLogger):
        def log_metrics(self, metrics, step=None):
            logged.append(metrics)

    fit(GAN(*networks(), optimizer=ADAM, n_critic=3, seed=5), max_steps=12, log_every_n_steps=4, logger=Log())
    assert ["loss/generator" in metrics for metrics in logged] == [True] * 3
    assert logged[0]["loss/generator"] != logged[1]["loss/generator"]
