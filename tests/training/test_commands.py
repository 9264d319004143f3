"""The advice at the end of a run: only what works."""

import os
import shlex
from types import SimpleNamespace

import pytest
import torch
from hydra.core.override_parser.overrides_parser import OverridesParser

from gan_lightning.data import Digits, Gaussian1D, ImageFolder, TaggedImages
from gan_lightning.training.commands import next_commands
from tests.helpers import PlainData

TENSORBOARD = {"tensorboard": {"_target_": "gan_lightning.training.loggers.TensorBoardLogger"}}


def advice(tmp_path, data, logger=TENSORBOARD, ended=True, schedules=None, name="run", stopped_at=None):
    config = {"logger": logger, "name": tmp_path.name, "model": {"schedules": schedules}}
    checkpoint = tmp_path / name / "checkpoints" / "last.ckpt"
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.touch()
    summary = {"status": "finished" if ended else "interrupted", "step": 100, "stopped_at": stopped_at}
    return next_commands(tmp_path / name, config, summary, data)


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (lambda root: Digits([1, 28, 28]), ""),
        (lambda root: ImageFolder([3, 8, 8], root=root, test_fraction=0.1), ""),
        (lambda root: ImageFolder([3, 8, 8], root=root), " --split train"),
        (lambda root: TaggedImages([3, 8, 8], root=root), " --split train"),
        (lambda root: PlainData([1, 4, 4]), ""),
    ],
)
def test_an_evaluation_that_works(tmp_path, data, options):
    assert advice(tmp_path, data(str(tmp_path)))["evaluate"].endswith(f"/run{options}")


def test_points_are_not_evaluated(tmp_path):
    assert "evaluate" not in advice(tmp_path, Gaussian1D([1]))


@pytest.mark.parametrize(("label", "needs"), [(-1, True), (3, False)])
def test_data_without_labels_needs_another_extractor(tmp_path, label, needs):
    data = ImageFolder([3, 8, 8], root=str(tmp_path), test_fraction=0.1)
    data.train = SimpleNamespace(labels=torch.full((5,), label))
    assert ("--extractor" in advice(tmp_path, data)["evaluate"]) == needs


def test_the_logs_of_all_runs_of_this_name(tmp_path):
    assert advice(tmp_path, Digits([1, 28, 28]))["watch"].endswith(f"/{tmp_path.name}")
    assert "watch" not in advice(tmp_path, Digits([1, 28, 28]), {"csv": {"_target_": "CSVLogger"}, "none": None})


def test_an_ended_run_can_only_train_longer(tmp_path):
    assert advice(tmp_path, Digits([1, 28, 28]))["resume"].endswith("run trainer.max_steps=200")
    assert advice(tmp_path, Digits([1, 28, 28]), ended=False)["resume"].endswith("run")


def test_a_run_whose_schedules_go_by_its_length_is_a_branch_when_longer(tmp_path):
    schedules = {"optimizer": {"lr": {"_target_": "gan_lightning.schedules.Linear", "end": 0.0, "unit": "run"}}}
    for ended, way in ((True, "branch_from="), (False, "resume=")):
        assert way in advice(tmp_path, Digits([1, 28, 28]), ended=ended, schedules=schedules)["resume"]


def test_a_run_that_stopped_early_goes_on_to_its_end(tmp_path):
    resume = advice(tmp_path, Digits([1, 28, 28]), stopped_at="a plateau")["resume"]
    assert resume.endswith("run callbacks.early_stopping=null")


def test_the_folder_of_a_job_is_one_value_for_hydra_and_one_word_for_the_shell(tmp_path):
    resume = advice(tmp_path, Digits([1, 28, 28]), ended=False, name="lr=0.1,seed=0 b")["resume"]
    _, override = shlex.split(resume)
    (parsed,) = OverridesParser.create().parse_overrides([override])
    assert parsed.value() == os.path.relpath(tmp_path / "lr=0.1,seed=0 b")


def test_a_run_without_a_checkpoint_can_only_be_looked_at(tmp_path):
    config = {"logger": TENSORBOARD, "name": "it", "model": {}}
    assert set(next_commands(tmp_path, config, {"status": "failed", "step": 3}, Digits([1, 28, 28]))) == {"watch"}
