"""An experiment of plain containers, without Hydra: new, resumed, as a job of a sweep, as one of several processes."""

import copy
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch.distributed as dist
from lightning.pytorch.strategies import SingleDeviceStrategy

from gan_lightning.errors import UserError
from gan_lightning.training.experiment import Experiment
from gan_lightning.training.result import SweepJob
from gan_lightning.training.resume import ResumePoint
from gan_lightning.training.run_folder import RunFolder
from gan_lightning.training.worker import worker_command
from tests.conftest import Outcome, training_differences

SHAPE = [1, 8, 8]
CONFIG = {
    "data": {"_target_": "gan_lightning.data.Digits", "image_shape": SHAPE, "batch_size": 32},
    "model": {
        "_target_": "gan_lightning.models.GAN",
        "generator": {"_target_": "gan_lightning.networks.MLPGenerator", "latent_dim": 4, "image_shape": SHAPE},
        "discriminator": {"_target_": "gan_lightning.networks.MLPDiscriminator", "image_shape": SHAPE},
    },
    "trainer": {
        "_target_": "lightning.Trainer",
        "accelerator": "cpu",
        "max_steps": 4,
        "log_every_n_steps": 1,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
    },
}


def configured(folder, max_steps: int = 4, **more) -> dict:
    """The configuration of a run in `folder` that keeps its checkpoints."""
    config = copy.deepcopy(CONFIG) | more
    config["trainer"]["max_steps"] = max_steps
    config["callbacks"] = {"checkpoints": {"_target_": "gan_lightning.callbacks.Checkpoints", "folder": str(folder)}}
    return config


@pytest.mark.slow
def test_no_process_that_trains_needs_hydra():
    code = (
        "import sys, gan_lightning.training.experiment, gan_lightning.training.worker;"
        "print([name for name in sys.modules if name.partition('.')[0] in ('hydra', 'omegaconf')])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_three_sections_are_enough(tmp_path):
    result = Experiment(CONFIG, tmp_path / "run").fit()
    assert (result.status, result.step, result.folder) == ("finished", 4, tmp_path / "run")
    assert result.metrics["loss/discriminator"] > 0
    assert json.loads((result.folder / "summary.json").read_text())["status"] == "finished"
    assert not [key for key in ("seed", "callbacks") if key in CONFIG], "the caller's dict is left alone"


def test_resumed_is_undisturbed(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    Experiment(configured(whole), whole).fit()
    Experiment(configured(parts, max_steps=2), parts).fit()
    resumed = Experiment(configured(parts), parts).fit(resume_from=parts)
    assert resumed.step == 4
    assert training_differences(Outcome(0, "", whole), Outcome(0, "", parts)) == []


def test_a_run_is_not_overwritten(tmp_path):
    Experiment(configured(tmp_path), tmp_path).fit()
    written = (tmp_path / "checkpoints" / "last.ckpt").read_bytes()
    with pytest.raises(UserError, match="holds a run already"):
        Experiment(configured(tmp_path), tmp_path).fit()
    assert (tmp_path / "checkpoints" / "last.ckpt").read_bytes() == written


def test_a_completed_run_without_checkpoints_is_not_overwritten(tmp_path):
    Experiment(CONFIG, tmp_path).fit()
    with pytest.raises(UserError, match="holds a run already"):
        Experiment(CONFIG | {"seed": 1}, tmp_path).fit()


def test_a_folder_that_the_configuration_does_not_mean(tmp_path):
    with pytest.raises(UserError, match="a run is resumed in its own folder"):
        Experiment(CONFIG | {"run_dir": str(tmp_path / "there")}, tmp_path / "here").fit()
    assert not (tmp_path / "here").exists()


def test_a_job_that_has_ended_is_not_trained_again(tmp_path):
    config = configured(tmp_path, objective="loss/generator")
    first = Experiment(config, tmp_path, SweepJob()).fit()
    written = (tmp_path / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    again = Experiment(config, tmp_path, SweepJob()).fit()
    assert again.objective == first.objective == first.metrics["loss/generator"]
    assert (tmp_path / "checkpoints" / "last.ckpt").stat().st_mtime_ns == written


def test_a_job_of_another_configuration_is_refused(tmp_path):
    Experiment(configured(tmp_path), tmp_path, SweepJob()).fit()
    with pytest.raises(UserError, match=r"trainer\.max_steps: 4 there, 6 here"):
        Experiment(configured(tmp_path, max_steps=6), tmp_path, SweepJob()).fit()


def test_an_objective_that_nothing_logs(tmp_path):
    with pytest.raises(UserError, match="objective=loss/g: nothing of that name was logged"):
        Experiment(CONFIG | {"objective": "loss/g"}, tmp_path).fit()
    assert json.loads((tmp_path / "summary.json").read_text())["status"] == "failed"


@pytest.mark.slow
def test_another_process_is_told_all(tmp_path):
    start = ResumePoint(tmp_path / "last.ckpt", 7)
    with worker_command(CONFIG, RunFolder(tmp_path), start) as command:
        task = json.loads(Path(command[-1]).read_text())
        expected = {"config": CONFIG, "folder": str(tmp_path), "start": [str(tmp_path / "last.ckpt"), 7, []]}
        assert task == expected | {"parent": os.getpid()}
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1  # the file was for the time of the context alone
    assert "FileNotFoundError" in result.stderr


@pytest.mark.slow
def test_a_worker_names_a_mistake(tmp_path):
    config = copy.deepcopy(CONFIG)
    config["data"]["batch_size"] = 5000
    with worker_command(config, RunFolder(tmp_path), None) as command:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.strip().startswith("error: data.batch_size=5000 is larger than the data")


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("model", "n_critic", "2", r"model\.n_critic='2': expected"),
        ("model", "n_critic", 0, r"model\.n_critic=0: expected a whole number from 1"),
        ("data", "batch_size", "64", r"data\.batch_size='64': expected"),
        ("model", "n_critc", 2, r"model\.n_critc: .* has no such argument; did you mean n_critic\?"),
        ("trainer", "gradient_clip_val", 1.0, r"trainer\.gradient_clip_val=1\.0: .*use model\.gradient_clip_norm"),
    ],
)
def test_a_configuration_by_hand_is_checked_before_anything_is_written(tmp_path, section, key, value, message):
    config = configured(tmp_path / "run")
    config[section] = config[section] | {key: value}
    with pytest.raises(UserError, match=message):
        Experiment(config, tmp_path / "run").fit()
    assert not (tmp_path / "run").exists()


def test_a_run_of_another_folder_is_not_resumed_into_this_one(tmp_path):
    Experiment(configured(tmp_path / "there"), tmp_path / "there").fit()
    with pytest.raises(UserError, match=r"resume_from=.*there: expected .*here, or a checkpoint in it"):
        Experiment(configured(tmp_path / "here"), tmp_path / "here").fit(resume_from=tmp_path / "there")


@pytest.mark.parametrize("status", ["finished", "interrupted"])
def test_a_session_that_cannot_start_keeps_what_the_earlier_one_wrote(tmp_path, status):
    Experiment(configured(tmp_path), tmp_path).fit()
    folder = RunFolder(tmp_path)
    before = folder.read_summary() | {"status": status}
    folder.write_summary(before)
    config = configured(tmp_path, max_steps=6)
    config["callbacks"]["fails"] = {"_target_": "helpers.CannotStart"}
    with pytest.raises(RuntimeError, match="cannot start"):
        Experiment(config, tmp_path).fit(resume_from=tmp_path)
    failed = {} if status == "finished" else {"status": "failed", "reason": "RuntimeError: cannot start"}
    assert folder.read_summary() == before | failed, "a run that had ended is still complete"


def test_a_process_group_that_fails_names_its_error(tmp_path, monkeypatch):
    """Nothing that happens afterwards hides it: the strategy has no process group to leave, and the disk is full."""

    def fail(*_):
        raise dist.DistBackendError("NCCL error: unhandled system error")

    monkeypatch.setattr(SingleDeviceStrategy, "setup_environment", fail)
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "destroy_process_group", fail_to_leave)
    with pytest.raises(dist.DistBackendError, match="unhandled system error"):
        Experiment(configured(tmp_path), tmp_path).fit()
    assert json.loads((tmp_path / "summary.json").read_text())["reason"].startswith("DistBackendError: NCCL error")
    monkeypatch.setattr(RunFolder, "write_summary", fail_to_write)
    with pytest.raises(dist.DistBackendError, match="unhandled system error"):
        Experiment(configured(tmp_path), tmp_path).fit()


def fail_to_leave(*_):
    raise RuntimeError("there is no group to destroy")


def fail_to_write(*_):
    raise OSError("disk full")


def test_in_a_thread_there_are_no_signals_to_handle(tmp_path):
    found = []
    thread = threading.Thread(target=lambda: found.append(Experiment(configured(tmp_path), tmp_path).fit().status))
    thread.start()
    thread.join()
    assert found == ["finished"]
