import json

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan_lightning.cli.evaluate import main
from gan_lightning.config import check
from tests.conftest import TINY, composed, differing, refusal, training_differences

QUICK = (*TINY, "metrics=classifier", "callbacks.evaluation.num=300")
EVERY_TEN = (*QUICK, "callbacks.evaluation.every_n_steps=10", "callbacks.checkpoints.keep_every_n_steps=10")


@pytest.fixture(scope="module")
def measured(trained):
    """A run of twenty batches, measured twice."""
    return trained(*EVERY_TEN, "trainer.max_steps=20")


def test_figures_while_training(train):
    run = train("run", *QUICK, "trainer.max_steps=25", "callbacks.evaluation.every_n_steps=10", "objective=metric/fid")
    assert run.code == 0, run.output
    events = EventAccumulator(str(run.folder)).Reload()
    fid = {event.step: event.value for event in events.Scalars("metric/fid")}
    assert list(fid) == [10, 20, 25]
    assert run.summary["objective"] == run.summary["final"]["metric/fid"] == pytest.approx(fid[25])
    assert "quality   fid" in run.output


@pytest.mark.parametrize(
    ("metric", "mode"), [("fid", "min"), pytest.param("inception_score", "max", marks=pytest.mark.slow)]
)
def test_the_best_checkpoint_is_kept(train, metric, mode):
    run = train(
        "run",
        *EVERY_TEN,
        "trainer.max_steps=40",
        f"callbacks.checkpoints.monitor=metric/{metric}",
    )
    events = EventAccumulator(str(run.folder)).Reload().Scalars(f"metric/{metric}")
    value, step = (min if mode == "min" else max)((event.value, event.step) for event in events)
    assert run.summary["best"] == {"metric": f"metric/{metric}", "value": pytest.approx(value), "step": step}
    weights = (
        torch.load(run.folder / "checkpoints" / f"{name}.ckpt", weights_only=True)["state_dict"]
        for name in ("best", f"step_{step:08d}")
    )
    assert differing(*weights) == []


def test_the_reports_first_repeat_is_the_same(measured, tmp_path):
    run = measured.copy(tmp_path / "run")
    main([str(run.folder), "--num", "300", "--repeats", "1"])
    repeat = json.loads((run.folder / "evaluation.json").read_text())["repeats"][0]
    for name, value in repeat.items():
        assert run.summary["final"][f"metric/{name}"] == pytest.approx(value, rel=1e-5), name


def test_training_is_not_disturbed(train):
    plain = train("plain", *TINY, "trainer.max_steps=8")
    measured = train("measured", *QUICK, "trainer.max_steps=8", "callbacks.evaluation.every_n_steps=3")
    differences = training_differences(plain, measured)
    assert differences == []


@pytest.mark.slow
def test_a_resumed_run_keeps_its_best(train, measured, tmp_path):
    first = measured.copy(tmp_path / "run")
    train("run", f"resume={first.folder}", "trainer.max_steps=30")
    whole = train("whole", *EVERY_TEN, "trainer.max_steps=30")
    assert first.summary["best"] == whole.summary["best"]


def test_a_run_resumed_from_a_kept_checkpoint_knows_its_best(measured):
    kept = [
        torch.load(measured.folder / "checkpoints" / f"step_{step:08d}.ckpt", weights_only=True)["callbacks"]
        for step in (10, 20)
    ]
    assert [state["Checkpoints"]["best"]["step"] <= step for state, step in zip(kept, (10, 20), strict=True)] == [
        True
    ] * 2


def test_another_monitor_starts_anew(train, measured, tmp_path):
    first = measured.copy(tmp_path / "run")
    change = "callbacks.checkpoints.monitor=metric/inception_score"
    second = train("run", f"resume={first.folder}", "trainer.max_steps=30", change)
    assert second.summary["best"]["metric"] == "metric/inception_score"
    assert second.summary["best"]["step"] == 30


def test_what_decides_on_the_metrics_stays(train, measured, tmp_path):
    first = measured.copy(tmp_path / "run")
    outcome = train("run", f"resume={first.folder}", "++callbacks.evaluation.num=200")
    assert outcome.code == 1
    assert "callbacks.evaluation.num=200: a resumed run keeps its configuration" in outcome.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("objective=metric/fid",), "objective=metric/fid: nothing computes it; add metrics=classifier"),
        (
            ("metrics=random", "objective=metric/intra_fid"),
            "objective=metric/intra_fid: training does not compute it, only gan-evaluate",
        ),
        (
            ("metrics=classifier", "objective=metric/fidd"),
            "objective=metric/fidd: there is no such metric; did you mean metric/fid?",
        ),
        (
            ("metrics=classifier", "callbacks.checkpoints.monitor=fid"),
            "there is no such metric; did you mean metric/fid?",
        ),
        (("metrics=classifier", "callbacks.evaluation.split=val"), "callbacks.evaluation.split='val': expected"),
    ],
)
def test_refused(options, message):
    assert message in refusal(*options)


def test_a_metric_of_ones_own_is_no_misspelling():
    check.check(composed("objective=metric/brightness"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("metrics=random", "objective=metric/modes"),
            "objective=metric/modes: the extractor and the data do not give it",
        ),
        (("metrics=classifier", "callbacks.evaluation.num=1"), "callbacks.evaluation.num=1: expected 2 images or more"),
        (("metrics=classifier", "experiment=gaussian_1d"), "Gaussian1D has no images to evaluate"),
        (("metrics=inception", "callbacks.evaluation.extractor.weights=no.pth"), "no.pth is missing, or no weights"),
    ],
)
def test_refused_before_training(train, options, message):
    """What only the data and the extractor know."""
    outcome = train("run", "trainer=cpu", "callbacks.progress=null", *options)
    assert outcome.code == 1
    assert message in outcome.output
    assert not (outcome.folder / "config.yaml").exists()
