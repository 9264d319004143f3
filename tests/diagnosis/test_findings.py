"""From signs to findings: series whose state is known."""

import math

import pytest

from gan_lightning.diagnosis import Diagnosis, Signs
from gan_lightning.diagnosis.states import STATES

HEALTHY = {
    **{"gradient_d": 1.0, "gradient_g": 0.5, "dead": [], "logit": 1.0, "separation": 0.8, "overfit": 0.1},
    **{"spread": 0.9, "coverage": 0.9, "missing": 0.0, "novelty": 1.1, "moved": 0.1, "ema_gap": 0.2},
    "ema_distance": 1.0,
}


def of(history):
    diagnosis = Diagnosis()
    for signs in history:
        diagnosis.add(signs)
    return diagnosis


def diagnosed(*series, count=40, **signs):
    """The diagnosis of a run whose distance falls at first; each sign is a number or a function of the measurement."""
    numbers = HEALTHY | {"distance": lambda i: max(0.5 / (i + 1), 0.02)} | signs
    return of(
        Signs(step=100 * (i + 1), **{name: value(i) if callable(value) else value for name, value in numbers.items()})
        for i in range(count)
    )


def names(diagnosis):
    return [finding.state.name for finding in diagnosis.findings()]


def test_a_healthy_run():
    assert names(diagnosed()) == ["good"]


def test_a_run_that_still_improves_has_nothing():
    assert names(diagnosed(distance=lambda i: 2 * 0.9**i, count=20, coverage=0.5)) == []


def test_a_run_that_is_near_the_data_has_nothing():
    near = {"distance": lambda i: max(1 - 0.1 * i, 0.08), "coverage": 0.6}
    assert names(diagnosed(separation=1.0, **near)) == []


def stuck(low=0.3):
    return lambda i: max(1 - 0.1 * i, low)


@pytest.mark.parametrize(
    ("state", "signs"),
    [
        ("explosion", {"logit": lambda i: 10.0**i}),
        ("explosion", {"gradient_g": 1e6, "gradient_d": math.nan}),
        ("dead_layers", {"dead": ["generator.layers.0.weight"]}),
        ("discriminator_blind", {"separation": 0.5, "distance": stuck(), "coverage": 0.1}),
        ("memorization", {"novelty": 0.1}),
        ("few_data", {"overfit": 0.9}),
        ("discriminator_wins", {"separation": 1.0, "distance": stuck(), "coverage": 0.6}),
        ("collapse", {"spread": lambda i: 0.9 if i < 10 else 0.1, "distance": stuck()}),
        ("collapse", {"coverage": 0.1, "distance": stuck()}),
        ("collapse", {"missing": 0.8, "distance": stuck()}),
        ("oscillation", {"moved": 0.6, "distance": stuck(), "coverage": 0.6, "spread": 1.1}),
        ("ema_lags", {"ema_distance": 50.0, "ema_gap": 1.0, "coverage": 0.1, "distance": 1.5}),
        ("no_progress", {"distance": stuck(), "coverage": 0.6}),
        ("no_progress", {"distance": 1.4, "spread": 0.2, "coverage": 0.0, "separation": 1.0, "moved": 0.01}),
        ("collapse", {"distance": 1.4, "spread": 0.2, "moved": 0.01, "gradient_g": 1e-4}),
    ],
)
def test_each_state_is_found(state, signs):
    found = diagnosed(**signs).findings()
    assert [finding.state.name for finding in found] == [state]
    content = found[0].as_dict()
    assert content["advice"]
    assert content["source"]
    assert "nan" not in content["evidence"] or "gradient_d" in signs
    assert content["curve"][-1][0] == 4000


def test_a_wiggle_is_no_collapse():
    wiggle = {"spread": lambda i: 0.1 if i in (20, 21) else 0.9}
    assert "collapse" not in {name for _, found in diagnosed(**wiggle).course for name in found}


def test_a_collapse_has_its_first_batch():
    diagnosis = diagnosed(spread=lambda i: 0.9 if i < 20 else 0.1, distance=stuck())
    assert diagnosis.findings()[0].since == 2100
    assert diagnosis.course[-1] == (2300, ["collapse"])  # once it has held three times
    assert not diagnosis.is_healthy


def test_the_nearest_samples_are_healthy_until_they_are_diverse():
    signs = {
        "spread": lambda i: 0.1 if i < 10 else 0.9,
        "distance": lambda i: [1.0, 0.8, 0.9, 0.7][i % 4] - 0.1 * (i // 4),
    }
    found = [diagnosed(count=count, **signs).is_healthy for count in range(1, 13)]
    assert found[:4] == [True, True, False, True]
    assert found[10:] == [True, True]  # diverse, though they were nearer before


def test_what_was_before_a_rollback_is_not_judged():
    before = diagnosed(spread=0.1, distance=stuck())
    after = Diagnosis(list(before.history), begin=len(before.history))
    for signs in before.history[-6:]:
        after.add(signs)
        assert names(after) == []
    after.add(before.history[-1])
    assert names(after) == names(before) == ["collapse"]


def test_missing_signs_find_nothing():
    unknown = dict.fromkeys(set(HEALTHY) - {"gradient_d", "gradient_g", "dead"}, math.nan)
    assert names(diagnosed(**unknown, distance=math.nan)) == []


def test_long_curves_are_thinned_and_keep_the_last_point():
    finding = diagnosed(count=333).findings()[0]
    assert len(finding.curve) <= 50
    assert finding.curve[-1][0] == 33_300


def test_what_hides_another_is_known():
    known = {state.name for state in STATES}
    assert all(set(state.hides) <= known - {state.name} for state in STATES)
