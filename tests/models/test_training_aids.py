"""Augmentation, LeCam and micro-batches in the step: against plain loops, and for every way of playing."""

import copy
from functools import partial

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from gan_lightning import rng
from gan_lightning.data import Digits
from gan_lightning.errors import UserError
from gan_lightning.losses import AdaptiveAugment, DiffAugment, penalties
from gan_lightning.losses.regularizers import LeCam
from gan_lightning.models import GAN, MatchingAwareGAN, SimultaneousGAN
from gan_lightning.models.batch import Batch
from gan_lightning.models.draws import Draws
from tests.models.test_gan import SGD, SHAPE, fit, networks, z
from tests.models.test_variants import conditional_networks, stream

MATCHING_FAKE = partial(MatchingAwareGAN, mismatch="fake")
MATCHING_REAL = partial(MatchingAwareGAN, mismatch="real")


def built(kind, **more):
    if kind in (MATCHING_FAKE, MATCHING_REAL):
        return kind(*conditional_networks(), optimizer=SGD, conditional=True, seed=5, **more)
    return kind(*networks(batch_norm=False), optimizer=SGD, seed=5, **more)


def weights(model):
    return [*model.generator.parameters(), *model.discriminator.parameters()]


def largest_difference(one, other):
    return max((a - b).abs().max().item() for a, b in zip(weights(one), weights(other), strict=True))


class Mark(DiffAugment):
    """Moves every sample out of the range of real and generated ones."""

    def forward(self, images):
        return images + 10


def seen_by_discriminator(model) -> list[tuple[str, bool]]:
    """Whose turn it was at each look at a batch, and whether the batch was augmented."""
    looks = []

    def look(discriminator, arguments):
        whose = "D" if next(discriminator.parameters()).requires_grad else "G"
        looks.append((whose, bool(arguments[0].min() > 5)))

    model.discriminator.register_forward_pre_hook(look)
    fit(model, max_steps=1)
    return looks


KINDS = pytest.mark.parametrize(
    ("kind", "looks"),
    [(GAN, "DDG"), (SimultaneousGAN, "DD"), (MATCHING_REAL, "DDDG"), (MATCHING_FAKE, "DDDG")],
    ids=["gan", "simultaneous", "matching-real", "matching-fake"],
)


@KINDS
def test_the_discriminator_sees_nothing_but_augmented_samples(kind, looks):
    assert seen_by_discriminator(built(kind, augment=Mark())) == [(whose, True) for whose in looks]
    assert seen_by_discriminator(built(kind)) == [(whose, False) for whose in looks]


class Double(DiffAugment):
    def forward(self, images):
        return 2 * images


class Linear(torch.nn.Linear):
    def forward(self, samples, condition=None):
        return super().forward(samples.flatten(1)).squeeze(1)


def test_penalties_look_through_the_augmentation_at_the_samples_as_they_were():
    """D is linear and sees samples doubled: the gradient at the samples is twice as long, R1 four times as large."""
    discriminator = Linear(64, 1)
    for augment, factor in ((None, 1), (Double(), 4)):
        model = GAN(networks()[0], discriminator, penalties={"r1": partial(penalties.r1, weight=1.0)}, augment=augment)
        output = model.losses(("discriminator",), Batch(torch.randn(4, *SHAPE), None), Draws(0, 0, model.device))
        torch.testing.assert_close(
            output["terms"]["discriminator"]["r1"], factor * discriminator.weight.square().sum() / 2
        )


def plain_loop(max_steps, augment=None, lecam_weight=0.0):
    generator, discriminator = networks()
    d_optimizer, g_optimizer = SGD(discriminator.parameters()), SGD(generator.parameters())
    ones, zeros = torch.ones(32), torch.zeros(32)
    real_history, fake_history = [], []
    batches = stream(Digits(SHAPE, batch_size=32, seed=5))
    see = augment or (lambda x: x)
    for step in range(max_steps):
        real, _ = next(batches)
        torch.manual_seed(rng.mix("local", 5, step, 0))
        fake = generator(z("discriminator", step)).detach()
        real_logits, fake_logits = discriminator(see(real)), discriminator(see(fake))
        d_loss = bce(real_logits, ones) + bce(fake_logits, zeros)
        if lecam_weight:
            # with fewer than a hundred batches, the averages are plain means
            real_anchor = sum(real_history) / max(len(real_history), 1)
            fake_anchor = sum(fake_history) / max(len(fake_history), 1)
            d_loss = d_loss + lecam_weight * ((real_logits - fake_anchor) ** 2).mean()
            d_loss = d_loss + lecam_weight * ((fake_logits - real_anchor) ** 2).mean()
            real_history.append(real_logits.mean().item())
            fake_history.append(fake_logits.mean().item())
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()
        g_loss = bce(discriminator(see(generator(z("generator", step)))), ones)
        g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()
    return generator, discriminator


@pytest.mark.parametrize(
    ("more", "plain"),
    [
        ({"augment": DiffAugment()}, {"augment": DiffAugment()}),
        ({"regularizers": {"lecam": LeCam(weight=0.3)}}, {"lecam_weight": 0.3}),
    ],
    ids=["diffaugment", "lecam"],
)
def test_the_step_with_an_aid_is_the_textbooks(more, plain):
    model = GAN(*networks(), optimizer=SGD, seed=5, **copy.deepcopy(more))
    fit(model)
    expected = [p for network in plain_loop(12, **plain) for p in network.parameters()]
    for weight, other in zip(weights(model), expected, strict=True):
        torch.testing.assert_close(weight, other, atol=1e-6, rtol=1e-5)
    without = [p for network in plain_loop(12) for p in network.parameters()]
    assert any((a - b).abs().max() > 1e-3 for a, b in zip(weights(model), without, strict=True))


def test_the_step_adapts_the_augmentation_to_the_signs_of_real_logits():
    augment = AdaptiveAugment(ada_images=320, every_n_batches=2, target=0.0)
    model = GAN(*networks(), optimizer=SGD, augment=augment, seed=5)
    signs, history = [], []
    model.on_train_batch_end = lambda output, *_: (
        signs.append(output["logits"]["real"].sign().sum().item()),
        history.append(augment.transforms.p.item()),
    )
    runner = fit(model, log_every_n_steps=1)
    p, expected = 0.0, []
    for first, second in zip(signs[::2], signs[1::2], strict=True):
        expected.append(p)
        p += 0.2 * ((first + second > 0) - (first + second < 0))
        p = min(max(p, 0.0), 1.0)
        expected.append(p)
    assert history == pytest.approx(expected, abs=1e-6)
    assert max(history) > 0
    assert runner.callback_metrics["augment/p"].item() == pytest.approx(history[-1])


def in_parts(kind, accumulate, **more):
    extras = {"penalties": {"r1": partial(penalties.r1, weight=0.5)}, "regularizers": {"lecam": LeCam(weight=0.1)}}
    model = built(kind, accumulate=accumulate, **(extras | more))
    model.on_train_batch_end = lambda output, *_: setattr(model, "last", output)
    runner = fit(model, max_steps=6, log_every_n_steps=1)
    return model, runner.callback_metrics


@KINDS
@pytest.mark.parametrize("n_critic", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_micro_batches_make_the_update_of_the_whole_batch(kind, looks, n_critic):
    (whole, metrics), (parts, metrics_of_parts) = (in_parts(kind, count, n_critic=n_critic) for count in (1, 4))
    assert largest_difference(whole, parts) < 1e-6
    assert metrics.keys() == metrics_of_parts.keys() >= {"loss/generator", "score/real", "terms/discriminator_r1"}
    for name, value in metrics.items():
        assert float(metrics_of_parts[name]) == pytest.approx(float(value), abs=1e-5), name
    torch.testing.assert_close(parts.last["logits"], whole.last["logits"], atol=1e-5, rtol=0)
    assert len(whole.last["logits"]["fake"]) == 32


def test_that_comparison_can_fail(monkeypatch):
    """Every micro-batch with the first one's latents; and batch norm, which looks at the batch as a whole."""
    whole, _ = in_parts(GAN, 1)
    first = Draws.micro_batch
    monkeypatch.setattr(Draws, "micro_batch", lambda self, index, count: first(self, 0, count))
    assert largest_difference(whole, in_parts(GAN, 4)[0]) > 1e-4
    monkeypatch.undo()
    batch_norm = [GAN(*networks(batch_norm=True), optimizer=SGD, seed=5, accumulate=parts) for parts in (1, 4)]
    for model in batch_norm:
        fit(model, max_steps=6)
    assert largest_difference(*batch_norm) > 1e-4


def test_a_batch_that_cannot_be_parted():
    with pytest.raises(UserError, match=r"model\.accumulate=5: expected a divisor of a process's 32 samples"):
        fit(built(GAN, accumulate=5), max_steps=1)
