"""Early stopping: a plateau ends a run, and a wiggle does not; a resumed run ends at the same batch."""

import json
import math

import pytest

from gan_lightning.callbacks import Evaluation, StopAtPlateau
from gan_lightning.callbacks.plateau import stands_still
from tests.conftest import TINY, differing, refusal, training_differences

WATCHED = (*TINY, "metrics=classifier", "callbacks.evaluation.every_n_steps=2", "early_stopping=plateau")
PATIENT = (*WATCHED, "callbacks.early_stopping.patience=2", "trainer.max_steps=20")
SERIES = {2: 50.0, 4: 30.0, 6: 30.5, 8: 29.5}
"""FID by batch: with a patience of 2 and draws 1 apart, the second value is the best until batch 8."""


@pytest.mark.parametrize(
    ("values", "stands"),
    [
        ([30, 20, 20, 20], False),  # the first 20 is among the last three
        ([30, 20, 20, 20, 20], True),
        ([30, 20, 25, 20.5, 19], True),  # as much better as two draws may differ
        ([30, 20, 25, 30, 16], False),
        ([30, 20, 19, 18, 17], False),  # small steps, and together more than the noise
        ([30, 20, 15, 25, 25], False),  # the best of the last three counts, not the last
        ([20, 30, 40, 50], True),
        ([30], False),
        ([math.inf] * 5, False),
        ([30, math.inf, math.inf, math.inf], True),
    ],
)
def test_a_plateau_is_no_improvement_beyond_the_noise(values, stands):
    assert stands_still(values, noise=1.0, patience=3, tolerance=2.0) == stands


def test_the_noise_is_that_of_a_difference():
    assert stands_still([30, 20, 20 - 1.41], noise=1.0, patience=1, tolerance=1.0)
    assert not stands_still([30, 20, 20 - 1.42], noise=1.0, patience=1, tolerance=1.0)


@pytest.fixture
def draws(monkeypatch):
    """FIDs of a series instead of an evaluation's; the others are 1 larger and smaller. Returns the calls."""
    calls = []

    def measure(self, trainer, model, repeat=0):
        calls.append((trainer.global_step, repeat))
        return {"metric/fid": SERIES.get(trainer.global_step, 30.0) + (0, -1, 1, -1, 1)[repeat]}

    monkeypatch.setattr(Evaluation, "measure", measure)
    return calls


def test_a_run_ends_at_a_plateau_and_says_so(train, draws):
    run = train("run", *PATIENT)
    reason = "a plateau: metric/fid 30 ± 1 at batch 4, and no better beyond noise since"
    assert f"  stopped   at {reason}" in run.output
    assert "callbacks.early_stopping=null" in run.output
    assert (run.summary["status"], run.summary["step"]) == ("finished", 8)
    assert run.summary["stopped_at"] == reason
    assert run.summary["best"]["step"] == 8  # the smallest value, by however little
    assert [call for call in draws if call[1]] == [(step, other) for step in (6, 8) for other in (1, 2, 3, 4)]

    again = train("run", f"resume={run.folder}")
    assert f"is finished at {reason}, 8 batches. To train longer, add callbacks.early_stopping=null" in again.output
    longer = train("run", f"resume={run.folder}", "callbacks.early_stopping=null", "trainer.max_steps=10")
    assert (longer.summary["step"], longer.summary["stopped_at"]) == (10, None)


def test_a_resumed_run_ends_at_the_same_batch(train, draws):
    whole = train("whole", *PATIENT)
    train("run", *PATIENT, "trainer.max_steps=7")  # its last batch has an evaluation of its own
    resumed = train("run", f"resume={whole.folder.parent}/run", "trainer.max_steps=20")
    assert training_differences(resumed, whole) == []
    states = [run.checkpoint["callbacks"]["StopAtPlateau"] for run in (resumed, whole)]
    assert differing(*states) == []
    assert list(states[0]["values"]) == [2, 4, 6, 8]


@pytest.mark.slow
def test_a_run_that_was_killed_after_its_decision_ends_there(train, draws):
    run = train("run", *PATIENT)
    path = run.folder / "summary.json"
    path.write_text(json.dumps(run.summary | {"status": "running", "stopped_at": None}))
    again = train("run", f"resume={run.folder}")
    assert again.summary["step"] == 8
    assert "no better beyond noise since" in again.summary["stopped_at"]
    assert len(draws) == 12  # nothing was measured again


@pytest.mark.slow
def test_another_patience_decides_anew(train, draws):
    run = train("run", *PATIENT)
    more = ("++callbacks.early_stopping.patience=3", "trainer.max_steps=20")
    longer = train("run", f"resume={run.folder}", *more)
    assert longer.summary["step"] == 10


@pytest.mark.slow
def test_two_processes_agree(train_apart):
    still = (*PATIENT, "callbacks.evaluation.num=300", "model.optimizer.lr=1e-12", "trainer.devices=2")
    run = train_apart("run", *still)
    assert run.code == 0, run.output
    assert run.summary["step"] == 6
    assert "metric/fid" in run.summary["stopped_at"]
    assert 0 < run.checkpoint["callbacks"]["StopAtPlateau"]["noise"] < math.inf


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("metrics=random", "callbacks.early_stopping.patience=0"),
            "callbacks.early_stopping.patience=0: expected a whole number",
        ),
        ((), "callbacks.early_stopping.monitor=metric/fid: nothing computes it; add metrics=classifier"),
        (
            ("callbacks.early_stopping.monitor=fid",),
            "early_stopping.monitor=fid: there is no such metric; did you mean",
        ),
    ],
)
def test_refused(options, message):
    assert message in refusal("early_stopping=plateau", *options)


def test_a_metric_without_draws_is_refused(train):
    run = train("run", *WATCHED, "callbacks.early_stopping.monitor=loss/generator")
    assert run.code == 1
    assert "callbacks.early_stopping.monitor=loss/generator: expected a metric of callbacks.eval" in run.output
    assert "choose one of metric/fid" in run.output
    assert not (run.folder / "config.yaml").exists()


@pytest.mark.parametrize("name", ["patience", "repeats"])
def test_numbers_from_one(name):
    with pytest.raises(ValueError, match=f"callbacks.early_stopping.{name}=0: expected a whole number from 1"):
        StopAtPlateau(**{name: 0})
