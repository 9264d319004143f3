"""Scheduled numbers in the step: which numbers are used, and that they are those of the curve."""

from functools import partial

import lightning
import pytest
import torch

from gan_lightning.callbacks import GeneratorEMA
from gan_lightning.errors import UserError
from gan_lightning.losses import AdaptiveAugment, DiffAugment, LeCam, penalties
from gan_lightning.models import GAN
from gan_lightning.schedules import Constant, Cosine, Linear, Steps
from tests.models.composed import SMALL, build_model
from tests.models.test_compiled import not_compiled  # noqa: F401
from tests.models.test_gan import ADAM, SGD, fit, networks

R1 = {"r1": partial(penalties.r1, weight=2.0)}


class Log(lightning.pytorch.loggers.logger.DummyLogger):
    def __init__(self):
        super().__init__()
        self.logged = []

    def log_metrics(self, metrics, step=None):
        self.logged.append(metrics | {"step": step})


def logged(name: str, count: int = 6, every: int = 1, **model) -> list[float]:
    """What is logged under a name in a run of `count` batches of 32."""
    log = Log()
    callbacks = [GeneratorEMA(decay=None, half_life=100.0)]
    fit(
        GAN(*networks(), **{"optimizer": ADAM} | model), count, log_every_n_steps=every, logger=log, callbacks=callbacks
    )
    return [metrics[name] for metrics in log.logged]


@pytest.mark.parametrize(
    ("name", "more", "base"),
    [
        ("optimizer.lr", {}, 1e-3),
        ("generator_optimizer.lr", {"generator_optimizer": {"lr": 0.5}}, 0.5),
        ("optimizer.betas.1", {}, 0.9),
        ("penalties.r1.weight", {"penalties": R1}, 2.0),
        ("regularizers.lecam.weight", {"regularizers": {"lecam": LeCam(0.3)}}, 0.3),
        ("augment.p", {"augment": DiffAugment(["translation"], p=0.8)}, 0.8),
        ("ema.half_life", {}, 100.0),
    ],
)
def test_every_number_is_scheduled_and_logged(name, more, base):
    half = {name: Steps(0.5, 2)}
    assert logged(f"schedule/{name}", schedules=half, **more) == pytest.approx(
        [base, base, base / 2, base / 2, base / 4, base / 4]
    )


def test_positions_count_batches_images_and_shares_of_the_run():
    for unit, until in (("batches", 4), ("images", 4 * 32), ("run", 0.5)):
        curve = Linear(0.0, until, unit=unit)
        found = logged("lr/generator", 8, every=2, schedules={"optimizer.lr": curve})
        assert found == pytest.approx([0.75e-3, 0.25e-3, 0, 0])  # of batches 1, 3, 5 and 7


def weights(model: GAN) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize(
    ("name", "value", "other"),
    [
        ("optimizer.lr", 0.03, {"optimizer": partial(SGD, lr=0.03)}),
        ("discriminator_optimizer.momentum", 0.2, {"discriminator_optimizer": {"momentum": 0.2}}),
        ("penalties.r1.weight", 0.7, {"penalties": {"r1": partial(penalties.r1, weight=0.7)}}),
        ("regularizers.lecam.weight", 0.7, {"regularizers": {"lecam": LeCam(0.7)}}),
        ("augment.p", 0.4, {"augment": DiffAugment(["translation"], p=0.4)}),
    ],
)
def test_a_scheduled_number_is_used_as_a_configured_one(name, value, other):
    """To the bit: a run with a constant curve, one with this number, and one with the number that it replaces."""
    ends = []
    for more in ({"schedules": {name: Constant(value)}}, other, {}):
        parts = {"regularizers": {"lecam": LeCam(0.1)}, "augment": DiffAugment(["translation"])}  # they have a state
        model = GAN(*networks(), **{"optimizer": SGD, "penalties": R1} | parts | more)
        fit(model, 4)
        ends.append(weights(model))
    assert torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[0], ends[2])


def test_a_learning_rate_in_steps_is_torchs():
    ends = []
    for more in ({"schedules": {"optimizer.lr": Steps(0.5, 3)}}, {"scheduler": partial(STEP_LR, step_size=3)}):
        model = GAN(*networks(), optimizer=SGD, **more)
        fit(model, 8)
        ends.append(weights(model))
    assert torch.equal(*ends)


STEP_LR = partial(torch.optim.lr_scheduler.StepLR, gamma=0.5)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_compiled_loss_gets_the_number_of_each_batch_as_a_tensor(accumulate, not_compiled):  # noqa: F811
    schedules = {"penalties.r1.weight": Linear(0.0, 4), "optimizer.lr": Steps(0.5, 2)}
    ends = []
    for compile in (False, True):
        model = GAN(
            *networks(), optimizer=SGD, penalties=R1, schedules=schedules, accumulate=accumulate, compile=compile
        )
        fit(model, 4)
        ends.append(weights(model))
    torch.testing.assert_close(*ends, rtol=0, atol=1e-7)
    given = [draws.scheduled["penalties.r1.weight"] for players, _, draws in not_compiled if "discriminator" in players]
    assert all(isinstance(weight, torch.Tensor) for weight in given)
    assert [weight.item() for weight in given[::accumulate]] == [2.0, 1.5, 1.0, 0.5]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"schedules": {"optimizer.lr": 5}}, r"model.schedules.optimizer.lr=5: expected a curve"),
        (
            {"schedules": {"optimizer.lr": Constant()}, "scheduler": partial(STEP_LR, step_size=3)},
            r"model.schedules.optimizer.lr: model.scheduler sets the learning rate, too",
        ),
        (
            {"schedules": {"optimizer.lr": Constant(), "generator_optimizer.lr": Constant()}},
            r"model.schedules.generator_optimizer.lr: optimizer.lr sets the same number",
        ),
    ],
)
def test_what_does_not_fit_is_refused_when_it_is_built(more, message):
    with pytest.raises(ValueError, match=message):
        GAN(*networks(), **more)


@pytest.mark.parametrize(
    ("schedules", "more", "message"),
    [
        ({"penalties.r1.wieght": Constant()}, {"penalties": R1}, r"penalties.r1.wieght: .* There are: .*r1.weight"),
        ({"optimizer.lr": Constant()}, {"generator_optimizer": {"lr": 0.5}}, r"optimizer.lr: the model has no such"),
        ({"augment.p": Constant()}, {"augment": AdaptiveAugment()}, r"augment.p: the model has no such number"),
        ({"ema.half_life": Constant()}, {}, r"ema.half_life: the model has no such number"),
        ({"optimizer.lr": Cosine(0, 1, unit="run")}, {}, r"optimizer.lr: unit=run needs a run with an end"),
    ],
)
def test_what_does_not_fit_the_run_is_refused_before_its_first_batch(schedules, more, message):
    model = GAN(*networks(), **{"optimizer": ADAM} | more, schedules=schedules)
    with pytest.raises(UserError, match=r"model.schedules." + message):
        fit(model, max_steps=-1, max_epochs=-1)


def test_the_decay_of_sngan_reaches_both_players():
    """The authors' code for CIFAR-10: Adam's alpha falls linearly to 0 over the run; each player has its own."""
    model = build_model("model=sngan", *SMALL, "model.generator_optimizer.lr=1e-3")
    log = Log()
    fit_small = {"log_every_n_steps": 5, "logger": log}
    fit(model, 20, **fit_small)
    for player, base in (("discriminator", 2e-4), ("generator", 1e-3)):
        found = [metrics[f"lr/{player}"] for metrics in log.logged]
        assert found == pytest.approx([base * (1 - batch / 20) for batch in (4, 9, 14, 19)])
