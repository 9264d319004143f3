"""`sweep=optuna`: several processes on one study, killed and stopped ones, launchers, mistakes."""

import builtins
import signal
import subprocess
import sys
from unittest.mock import Mock

import optuna
import pytest
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from optuna.trial import TrialState

from gan_lightning.sweeps.trials import counted, progress, run_number
from tests.conftest import PROJECT, TINY
from tests.sweeps.test_sweeps import LAUNCHERS, place, rows

SEARCH = (
    *("sweep=optuna", *TINY, "metrics=null", "callbacks.pruning=null", "objective=loss/generator"),
    *("trainer.max_steps=12", "callbacks.checkpoints.every_n_steps=4", "hydra.sweeper.heartbeat=1"),
)
KILL = "+callbacks.kill={{_target_: helpers.KillAt, step: 6, number: {number}, once: '{once}'}}"


def trials(sweep):
    backend = optuna.storages.journal.JournalFileBackend(str(sweep / "study.journal"))
    return optuna.load_study(study_name=None, storage=optuna.storages.JournalStorage(backend)).trials


def require_all_once(sweep, number):
    """Every run has ended once, and has one folder."""
    complete = [trial for trial in trials(sweep) if trial.state == TrialState.COMPLETE]
    assert len({run_number(trial) for trial in complete}) == len(complete) == number
    folders = {path.name for path in sweep.glob("*/")}
    assert folders == {f"trial_{run_number(trial):04d}" for trial in complete}
    found = {row["run"]: (row["status"], float(row["objective"])) for row in rows(sweep)}
    assert found == {f"trial_{run_number(trial):04d}": ("finished", trial.value) for trial in complete}


@pytest.mark.slow
def test_processes_share_a_study_and_one_is_killed(tmp_path):
    sweep = tmp_path / "sweep"
    kill = KILL.format(number=9, once=tmp_path / "killed")
    line = [sys.executable, str(PROJECT / "train.py"), *SEARCH, kill, place(sweep), "hydra.sweeper.n_trials=6"]
    processes = [subprocess.Popen(line, cwd=tmp_path) for _ in range(3)]
    try:
        codes = [process.wait(timeout=600) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert sorted(codes) == [-signal.SIGKILL, 0, 0]
    require_all_once(sweep, 6)
    states = [trial.state for trial in counted(trials(sweep))]
    assert states.count(TrialState.FAIL) == 1
    assert len({trial.params["model.optimizer.lr"] for trial in trials(sweep)}) == 6


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_search_goes_on(train_apart, tmp_path, number):
    sweep = tmp_path / "sweep"
    kill = KILL.format(number=number.value, once=tmp_path / "killed")
    jobs = ("unused", *SEARCH, kill, place(sweep), "hydra.sweeper.n_trials=2", "hydra.sweeper.max_retries=0")
    assert train_apart(*jobs).code == 128 + number
    again = train_apart(*jobs)
    assert again.code == 0, again.output
    require_all_once(sweep, 2)
    more = train_apart(*jobs, "hydra.sweeper.n_trials=3")
    assert "[3/3] trial_0003: finished" in more.output, more.output
    require_all_once(sweep, 3)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_killed_job_is_tried_again(train_apart, tmp_path, launcher):
    sweep = tmp_path / "sweep"
    kill = KILL.format(number=9, once=tmp_path / "killed")
    several = ("hydra.sweeper.n_trials=2", "hydra.sweeper.n_jobs=2", *LAUNCHERS[launcher])
    outcome = train_apart("unused", *SEARCH, kill, place(sweep), *several, timeout=600)
    assert outcome.code == 0, outcome.output
    assert "its process was ended by signal 9" in outcome.output
    assert "[2/2]" in outcome.output
    names = {path.name for path in sweep.glob("trial_*/")}
    assert {row["run"] for row in rows(sweep)} == names
    assert len(names) == 2


@pytest.mark.slow
def test_a_search_prunes(train_apart, tmp_path):
    sweep = tmp_path / "sweep"
    jobs = ("sweep=optuna", *TINY, "callbacks.evaluation.num=50", "callbacks.evaluation.every_n_steps=4")
    more = ("trainer.max_steps=12", "hydra.sweeper.n_trials=6", "callbacks.pruning.least=2", place(sweep))
    outcome = train_apart("unused", *jobs, *more, timeout=600)
    assert outcome.code == 0, outcome.output
    first = {row["run"]: (row["status"], row["objective"]) for row in rows(sweep)}
    assert len(first) == 6
    assert {status for status, _ in first.values()} == {"finished", "pruned"}
    states = [trial.state for trial in trials(sweep)]
    assert states.count(TrialState.PRUNED) == [status for status, _ in first.values()].count("pruned")
    again = train_apart("unused", *jobs, *more)
    assert again.code == 0, again.output
    assert {row["run"]: (row["status"], row["objective"]) for row in rows(sweep)} == first


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("hydra.sweeper.n_trials=0", "hydra.sweeper.n_trials=0: expected a whole number, at least 1"),
        ("hydra.sweeper.heartbeat=0", "hydra.sweeper.heartbeat=0: expected a number of seconds"),
        ("hydra.sweeper.max_failure_rate=2", "hydra.sweeper.max_failure_rate=2: expected a number from 0 to 1"),
        ("hydra.sweeper.sampler._target_=optuna.samplers.TPE", "arguments: Error loading 'optuna.samplers.TPE'"),
        ("hydra.sweeper.sampler._target_=builtins.dict", "hydra.sweeper.sampler._target_: expected a sampler"),
        ("hydra.sweeper.direction=down", "hydra.sweeper.direction=down: expected minimize or maximize"),
        ("hydra.sweeper.storage=none/study", "hydra.sweeper.storage=none/study: "),
        ("hydra.sweeper.storage=sqlite:///study.db", "hydra.sweeper.study_name=null: "),
        ("model.optimizer.lr=interval(2,1)", "model.optimizer.lr=interval(2,1): "),
        ("objective=null", "objective=null: a search needs one"),
    ],
)
def test_mistakes(command, tmp_path, option, message):
    outcome = command("unused", *SEARCH, option, place(tmp_path / "sweep"))
    assert outcome.code == 1
    assert message in outcome.output
    assert "Traceback" not in outcome.output
    assert not list(tmp_path.glob("sweep/*/"))


@pytest.fixture
def launched(monkeypatch):
    """A launcher that trains nothing, and raises what a test says."""
    launcher = Mock(spec=Launcher)
    monkeypatch.setattr(Plugins, "instantiate_launcher", lambda self, **_: launcher)
    return launcher.launch


def test_a_launcher_that_loses_its_jobs_fails_them(command, tmp_path, launched):
    launched.side_effect = RuntimeError("the worker is gone\nand more")
    sweep = tmp_path / "sweep"
    counts = ("hydra.sweeper.n_trials=2", "hydra.sweeper.max_retries=1")
    outcome = command("unused", *SEARCH, place(sweep), *counts)
    assert outcome.code == 1
    assert outcome.output.count("hydra/launcher: RuntimeError: the worker is gone\n") == 4
    assert "Traceback" not in outcome.output
    found = progress(trials(sweep), max_retries=1)
    assert (len(found.failed), len(trials(sweep)), found.to_repeat) == (2, 4, [])


@pytest.mark.slow
def test_processes_may_differ_in_what_changes_no_result(command, tmp_path, launched):
    jobs = ("unused", *SEARCH, place(tmp_path / "sweep"), "hydra.sweeper.max_retries=0")
    command(*jobs, "hydra.sweeper.n_trials=1", "trainer.devices=1")
    command(*jobs, "hydra.sweeper.n_trials=2", "data.num_workers=1")
    assert len(trials(tmp_path / "sweep")) == 2
    assert "seed: None there, 7 here" in command(*jobs, "seed=7").output


def test_a_missing_package_is_told(command, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("optuna", "gan_lightning.sweeps.study"))]:
        monkeypatch.delitem(sys.modules, name)
    found = builtins.__import__

    def fail(name, *more):
        if name.partition(".")[0] == "optuna":
            raise ImportError(name)
        return found(name, *more)

    monkeypatch.setattr(builtins, "__import__", fail)
    outcome = command("unused", *SEARCH, place(tmp_path / "sweep"))
    assert outcome.code == 1
    assert "sweep=optuna needs optuna, 4.9 or later: pip install 'gan_lightning[sweeps]'" in outcome.output
