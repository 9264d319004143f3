"""The curves against torch's schedulers and closed forms."""

import math

import pytest
import torch
from torch.optim import lr_scheduler

from gan_lightning.schedules import Constant, Cosine, Linear, Position, Steps, by_name, by_run

RATE = 0.4


def torchs(scheduler, count, **arguments):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=RATE)
    schedule = scheduler(optimizer, **arguments)
    found = []
    for _ in range(count):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def ours(curve, count):
    return [curve(Position(batches=batch, images=32 * batch, run=batch / count), RATE) for batch in range(count)]


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        (Cosine(0.1, 20), lambda: torchs(lr_scheduler.CosineAnnealingLR, 20, T_max=20, eta_min=0.1)),
        (Linear(0.1, 20), lambda: torchs(lr_scheduler.LinearLR, 25, start_factor=1, end_factor=0.25, total_iters=20)),
        (Linear(0.0, 1, unit="run"), lambda: torchs(lr_scheduler.PolynomialLR, 30, total_iters=30)),
        (Steps(0.5, 4), lambda: torchs(lr_scheduler.StepLR, 20, step_size=4, gamma=0.5)),
        (Steps(0.5, 4 * 32, unit="images"), lambda: torchs(lr_scheduler.StepLR, 20, step_size=4, gamma=0.5)),
        (Constant(), lambda: [RATE] * 5),
        (Constant(begin=3), lambda: [0.0] * 3 + [RATE] * 3),
        (Constant(0.7, begin=3, before=0.2), lambda: [0.2] * 3 + [0.7] * 3),
        (Linear(1.0, 8, start=0.0, begin=4), lambda: [0.0] * 5 + [0.25, 0.5, 0.75, 1.0, 1.0]),
        (Steps(0.1, 2, start=1.0), lambda: [1.0, 1.0, 0.1, 0.1]),
        (Steps(0.5, 1, start=1.0, floor=0.2), lambda: [1.0, 0.5, 0.25, 0.2, 0.2]),
    ],
)
def test_the_curve_is(curve, expected):
    expected = expected()
    assert ours(curve, len(expected)) == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_a_ramp_ends_exactly():
    for kind in (Linear, Cosine):
        assert [kind(5e-5, 7)(Position(batch, 0, 0), 2e-4) for batch in (7, 8, 10**9)] == [5e-5] * 3


@pytest.mark.parametrize("images", [0, 10_000_000, 20_000_000, 20_000_001])
def test_the_cosine_of_r3gan(images):
    """base + (1 - (1 + cos(pi t)) / 2) (final - base) up to 20 million images, from the authors' code."""
    for base, final in ((2e-4, 5e-5), (0.9, 0.99), (0.05, 0.005), (0.0, 5e6), (0.0, 0.55)):
        weight = 0.5 * (1 + math.cos(math.pi * min(images / 2e7, 1)))
        expected = base + (1 - weight) * (final - base)
        found = Cosine(final, 2e7, unit="images")(Position(images // 512, images, 0), base)
        assert found == pytest.approx(expected, rel=1e-12)


def test_what_cannot_be_is_refused():
    for wrong, message in (
        (lambda: Linear(0, 5, begin=5), "until=5: expected more than begin=5"),
        (lambda: Cosine(0, 1000, unit="run"), "until=1000: expected at most 1, the whole run"),
        (lambda: Steps(0.5, 0), "every=0, factor=0.5: expected an interval above 0"),
    ):
        with pytest.raises(ValueError, match=message):
            wrong()


def test_names_are_the_keys_of_any_nesting():
    curve = Constant()
    nested = {"optimizer": {"lr": curve, "betas.1": curve, "eps": None}, "penalties.r1": {"weight": curve}}
    assert [name for name, _ in by_name(nested)] == ["optimizer.lr", "optimizer.betas.1", "penalties.r1.weight"]


def test_only_curves_over_the_share_of_the_run_change_with_its_length():
    """The configuration of a refused run has interpolations, which are texts."""
    run, images = ({"_target_": "Linear", "unit": unit} for unit in ("run", "images"))
    nested = {"optimizer": {"lr": run, "eps": images}, "loss": {"share": "${..optimizer.lr}"}}
    assert by_run(nested) == ["model.schedules.optimizer.lr"]
