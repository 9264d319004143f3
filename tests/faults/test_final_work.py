"""A run that is killed when all batches are trained: resumed, it leaves what an undisturbed one does."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.conftest import TINY, Outcome, training_differences

RUN = (
    *(option for option in TINY if not option.startswith(("callbacks.samples", "callbacks.report"))),
    *("data.limit=64", "trainer.max_steps=4", "trainer.log_every_n_steps=1", "callbacks.samples.every_n_steps=3"),
    "callbacks.checkpoints.every_n_steps=2",  # the last grid is drawn before the last checkpoint is written
    *("metrics=random", "callbacks.evaluation.num=20", "objective=metric/fid"),
)


class Killed(BaseException):
    """Stands for SIGKILL."""


def files_of(folder: Path) -> set[str]:
    """The files of a run; the names of TensorBoard's have the time in them."""
    paths = (path for path in folder.rglob("*") if path.is_file() and ".tfevents" not in path.name)
    return {str(path.relative_to(folder)) for path in paths}


def assert_same(one: Outcome, other: Outcome) -> None:
    summaries = [
        {name: value for name, value in outcome.summary.items() if name not in ("seconds", "images_per_second")}
        for outcome in (one, other)
    ]
    assert summaries[0] == summaries[1]
    assert one.summary["seconds"] > 0
    assert files_of(one.folder) == files_of(other.folder)
    assert training_differences(one, other) == []


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("report.html", marks=pytest.mark.slow),
        pytest.param("samples/step_00000004.png", marks=pytest.mark.slow),
        pytest.param("samples/video.gif", marks=pytest.mark.slow),
        pytest.param("samples/video.mp4", marks=pytest.mark.slow),
        pytest.param("checkpoints/generator.safetensors", marks=pytest.mark.slow),
        pytest.param("checkpoints/discriminator.safetensors", marks=pytest.mark.slow),
        pytest.param("summary.json", marks=pytest.mark.slow),
    ],
)
def test_a_run_killed_before_a_final_file_has_its_name(train, trained, monkeypatch, tmp_path, name):
    folder = tmp_path / "run"
    real, seen = os.replace, []

    def kill(source, target):
        seen.append(str(target))
        if seen.count(str(folder / name)) == (2 if name == "summary.json" else 1):  # the first says that it is running
            raise Killed
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", kill)
        with pytest.raises(Killed):
            train("run", *RUN)
    assert json.loads((folder / "summary.json").read_text())["status"] == "running"
    assert not (folder / name).exists() or name == "summary.json"
    resumed = train("run", f"resume={folder}")
    assert resumed.code == 0, resumed.output
    assert "finished after 4 batches" in resumed.output
    assert_same(resumed, trained(*RUN))
    assert "is finished, 4 batches" in train("run", f"resume={folder}").output


@pytest.mark.slow
def test_a_job_of_a_sweep_that_was_killed_at_its_end(command, train_apart, trained, tmp_path):
    sweep = ("-m", *RUN, "seed=0,1", f"hydra.sweep.dir={tmp_path}/sweep")
    kill = "+callbacks.kill={_target_: helpers.KillAtTheEnd, once: '${run_dir}/../killed'}"
    assert train_apart("unused", *sweep, kill).code == -signal.SIGKILL
    assert command("unused", *sweep, kill).code == 0
    for seed in (0, 1):
        job = Outcome(0, "", tmp_path / "sweep" / f"seed={seed}")
        assert files_of(job.folder) == files_of(trained(*RUN, f"seed={seed}").folder)
        assert training_differences(job, trained(*RUN, f"seed={seed}")) == []


@pytest.mark.slow
def test_the_first_of_two_processes_killed_at_the_end(train_apart):
    options = (*RUN, "trainer.devices=2")
    undisturbed = train_apart("undisturbed", *options)
    killed = train_apart("killed", *options, "+callbacks.kill={_target_: helpers.KillAtTheEnd}")
    assert killed.code != 0
    assert not (killed.folder / "checkpoints" / "generator.safetensors").exists()
    resumed = train_apart("killed", f"resume={killed.folder}", "+callbacks.kill=null")
    assert resumed.code == 0, resumed.output
    assert_same(resumed, undisturbed)


@pytest.mark.slow
def test_the_second_of_two_processes_killed_at_the_end(train_apart):
    options = (*RUN, "trainer.devices=2")
    undisturbed = train_apart("undisturbed", *options)
    killed = train_apart("killed", *options, "+callbacks.kill={_target_: helpers.KillAtTheEnd, rank: 1}")
    assert killed.code == 0, killed.output  # the first process does the final work alone
    assert_same(killed, undisturbed)
