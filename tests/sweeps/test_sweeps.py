"""Sweeps: folders that are found again, jobs that fail, a sweep that goes on, several at a time."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from omegaconf import ListConfig
from scipy import stats

from gan_lightning.sweeps import callback
from gan_lightning.sweeps.watch import Watch
from gan_lightning.training.run_folder import RunFolder
from tests.conftest import PROJECT, TINY, WITHOUT_MLP, Outcome, training_differences

SHORT = (*TINY, "trainer.max_steps=4", "objective=loss/generator")
LAUNCHERS = {
    "joblib": ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2"),
    "submitit": ("hydra/launcher=submitit_local",),
}
GRID = ("model.optimizer.lr=1e-4,2e-4", "model.optimizer.betas=[0.5,0.999]", "seed=0,1")


def place(folder) -> str:
    return f"hydra.sweep.dir={folder}"


def rows(folder) -> list[dict]:
    with (folder / "results.csv").open() as lines:
        return list(csv.DictReader(lines))


@pytest.mark.slow
def test_a_grid(command, tmp_path):
    sweep = tmp_path / "sweep"
    outcome = command("unused", "-m", *SHORT, *GRID, place(sweep))
    assert outcome.code == 0, outcome.output
    names = {path.parent.name for path in sweep.glob("*/summary.json")}
    assert len(names) == 4
    assert "lr=0.0001,seed=1" in names
    assert "lr=0.0001,seed=0: finished, objective" in outcome.output
    assert "[4/4]" in outcome.output
    found = rows(sweep)
    assert {(row["model.optimizer.lr"], row["seed"], row["status"]) for row in found} == {
        (lr, seed, "finished") for lr in ("0.0001", "0.0002") for seed in ("0", "1")
    }
    for row in found:
        final = json.loads((sweep / row["run"] / "summary.json").read_text())["final"]
        assert float(row["objective"]) == final["loss/generator"] == float(row["loss/generator"])
    page = (sweep / "results.html").read_text()
    assert page.count("data:image/png;base64,") == 2  # landscape and curves: these runs draw no samples
    assert 'src="data:' in page
    assert 'src="http' not in page


@pytest.mark.slow
def test_an_option_that_does_not_exist_loses_one_job(command, tmp_path):
    sweep = tmp_path / "sweep"
    short = (*SHORT[:-2], "trainer.max_steps=1", "seed=3")
    outcome = command("unused", "-m", *short, "model=gan,nope,wgan", place(sweep))
    assert outcome.code == 1
    found = {row["model"]: (row["run"], row["status"]) for row in rows(sweep)}
    assert found == {
        "gan": ("model=gan,seed=3", "finished"),
        "nope": ("model=nope,seed=3", "refused"),
        "wgan": ("model=wgan,seed=3", "finished"),
    }
    assert "model/nope: there is no such option. Available: acgan, began" in outcome.output


@pytest.mark.slow
def test_jobs_that_fail_leave_the_others(command, tmp_path):
    """The second cannot start, the fourth becomes NaN."""
    sweep = tmp_path / "sweep"
    discriminator = "network.discriminator._target_=helpers.ExplodingDiscriminator"
    calls = ("+network.discriminator.call=1000,0.5,1001,7,1002", place(sweep))
    outcome = command("unused", "-m", *WITHOUT_MLP, discriminator, "trainer.max_steps=5", *calls)
    assert outcome.code == 1
    statuses = {row["run"]: row["status"] for row in rows(sweep)}
    assert statuses == {
        **{f"call={call}": "finished" for call in (1000, 1001, 1002)},
        "call=0.5": "refused",
        "call=7": "failed",
    }
    reasons = {row["run"]: row["reason"] for row in rows(sweep) if row["reason"]}
    assert "expected int" in reasons["call=0.5"]
    assert "not finite" in reasons["call=7"]
    assert "call=7: failed, FloatingPointError" in outcome.output
    assert "again, for what has not ended: the same command with hydra.sweep.dir=" in outcome.output


@pytest.mark.slow
def test_a_sweep_that_was_killed_goes_on(command, train_apart, tmp_path):
    jobs = (*TINY, "trainer.max_steps=12", "callbacks.checkpoints.every_n_steps=4", "seed=0,1,2")
    whole = tmp_path / "whole"
    assert command("unused", "-m", *jobs, place(whole)).code == 0
    cut = tmp_path / "cut"
    kill = "+callbacks.kill={_target_: helpers.KillAt, step: 6, seed: 1, once: '${run_dir}/killed'}"
    died = train_apart("unused", "-m", *jobs, place(cut), kill)
    assert died.code == -signal.SIGKILL
    before = (cut / "seed=0" / "summary.json").read_bytes()
    assert json.loads((cut / "seed=1" / "summary.json").read_text())["status"] == "running"
    outcome = command("unused", "-m", *jobs, place(cut), kill)
    assert outcome.code == 0, outcome.output
    assert (cut / "seed=0" / "summary.json").read_bytes() == before
    for seed in (0, 1, 2):
        one, other = (Outcome(0, "", sweep / f"seed={seed}") for sweep in (cut, whole))
        assert training_differences(one, other) == []


@pytest.mark.slow
def test_another_configuration_in_its_place_is_refused(command, tmp_path):
    sweep = tmp_path / "sweep"
    assert command("unused", "-m", *SHORT, "seed=0,1", place(sweep)).code == 0
    results = [(row["status"], row["objective"]) for row in rows(sweep)]
    outcome = command("unused", "-m", *SHORT, "trainer.max_steps=6", "seed=0,1", place(sweep))
    assert outcome.code == 1
    assert "trainer.max_steps: 4 there, 6 here" in outcome.output
    assert [(row["status"], row["objective"]) for row in rows(sweep)] == results
    assert command("unused", "-m", *SHORT, "seed=0,1", place(sweep)).code == 0


@pytest.mark.slow
def test_more_seeds_join_those_that_are_there(command, tmp_path):
    sweep = tmp_path / "sweep"
    rates = "model.optimizer.lr=1e-4,2e-4"
    assert command("unused", "-m", *SHORT, rates, place(sweep)).code == 0
    outcome = command("unused", "-m", *SHORT, rates, "seed=0,1", place(sweep))
    assert outcome.code == 0, outcome.output
    values = {float(row["objective"]) for row in rows(sweep) if row["model.optimizer.lr"] == "0.0001"}
    assert len(values) == 2  # of three runs, two with seed 0
    spread = stats.t.interval(0.95, 1, *map(float, (np.mean(list(values)), stats.sem(list(values)))))
    told = re.search(r"^0\.0001 +([\d.]+) ± ([\d.]+)", outcome.output, re.MULTILINE)
    assert told is not None
    assert float(told[1]) == pytest.approx(np.mean(list(values)), rel=1e-3)
    assert float(told[2]) == pytest.approx((spread[1] - spread[0]) / 2, rel=0.05)


@pytest.mark.slow
def test_a_mistyped_objective_costs_no_training(command, tmp_path):
    sweep = tmp_path / "sweep"
    for _ in range(2):
        outcome = command("unused", "-m", *TINY, "trainer.max_steps=4", "objective=loss/g", "seed=0,1", place(sweep))
        assert outcome.code == 1
        assert "objective=loss/g: nothing of that name was logged" in outcome.output
    written = (sweep / "seed=0" / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    outcome = command("unused", "-m", *SHORT, "seed=0,1", place(sweep))
    assert outcome.code == 0, outcome.output
    assert all(row["objective"] == row["loss/generator"] for row in rows(sweep))
    assert (sweep / "seed=0" / "checkpoints" / "last.ckpt").stat().st_mtime_ns == written


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_launchers(train_apart, tmp_path, launcher):
    sweep = tmp_path / "sweep"
    outcome = train_apart("unused", "-m", *SHORT, "seed=0,1", place(sweep), *LAUNCHERS[launcher])
    assert outcome.code == 0, outcome.output
    assert [row["status"] for row in rows(sweep)] == ["finished"] * 2
    assert "[2/2]" in outcome.output


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_killed_job_leaves_the_others(train_apart, tmp_path, launcher):
    """As the system kills a process for lack of memory."""
    sweep = tmp_path / "sweep"
    kill = "+callbacks.kill={_target_: helpers.KillAt, step: 2, seed: 1, once: '${run_dir}/killed'}"
    jobs = ("-m", *SHORT, "seed=0,1,2,3", kill, place(sweep), *LAUNCHERS[launcher])
    outcome = train_apart("unused", *jobs)
    assert outcome.code == 1
    assert "[4/4]" in outcome.output, outcome.output
    found = {row["run"]: (row["status"], row["reason"]) for row in rows(sweep)}
    reason = "its process was ended by signal 9, maybe for lack of memory"
    assert found == {f"seed={seed}": ("failed", reason) if seed == 1 else ("finished", "") for seed in range(4)}
    assert "Traceback" not in outcome.output
    assert "again, for what has not ended: the same command with hydra.sweep.dir=" in outcome.output
    ended = {path: path.stat().st_mtime_ns for path in sweep.glob("*/checkpoints/last.ckpt") if "=1" not in str(path)}
    assert len(ended) == 3
    again = train_apart("unused", *jobs)
    assert again.code == 0, again.output
    assert {row["status"] for row in rows(sweep)} == {"finished"}
    assert {path: path.stat().st_mtime_ns for path in ended} == ended


@pytest.mark.slow
def test_jobs_end_with_their_sweep(tmp_path):
    jobs = (*TINY, "trainer.max_steps=1000000", "seed=0,1", place(tmp_path / "sweep"), *LAUNCHERS["joblib"])
    sweep = subprocess.Popen([sys.executable, str(PROJECT / "train.py"), "-m", *jobs], cwd=tmp_path)
    folders = [RunFolder(tmp_path / "sweep" / f"seed={seed}") for seed in (0, 1)]
    try:
        _wait_until(lambda: all(folder.read_summary().get("status") == "running" for folder in folders))
    finally:
        sweep.kill()
        sweep.wait()
    _wait_until(lambda: not any(folder.is_locked() for folder in folders))
    assert all(folder.read_summary()["status"] == "interrupted" for folder in folders)
    assert all(folder.last.exists() for folder in folders)


def _wait_until(condition, timeout: float = 240) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.mark.parametrize(("devices", "visible"), [(1, "0"), (2, "0,1"), ([1], None), (ListConfig([2, 3]), None)])
def test_jobs_at_a_time_have_gpus_of_their_own(monkeypatch, tmp_path, devices, visible):
    """A list of devices is the user's choice, by their numbers among all."""
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    monkeypatch.setattr(callback, "_held_locks", [])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    callback.assign_resources(tmp_path, 2, devices)
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == visible


def test_an_objective_that_is_not_finite_is_no_result(train):
    odd = ("objective=odd", "+callbacks.odd={_target_: helpers.LogsNaN}")
    outcome = train("run", *TINY, "trainer.max_steps=2", *odd)
    assert outcome.code == 1
    assert "objective=odd: it is not finite" in outcome.output
    assert outcome.summary["status"] == "failed"


def test_a_run_that_fails_again_is_reported_again(tmp_path, capsys):
    watch = Watch(tmp_path, [1.0])
    run = RunFolder(tmp_path / "trial_0000")
    run.path.mkdir()
    for number, (status, reason) in enumerate([("failed", "one"), ("running", None), ("failed", "two")]):
        run.write_summary({"status": status, "step": 1, "final": {}, "reason": reason})
        os.utime(run.summary, (watch.since + number,) * 2)
        watch.poll()
        watch.poll()
    printed = capsys.readouterr().out
    assert re.findall(r"trial_0000: failed, (\w+)", printed) == ["one", "two"]
