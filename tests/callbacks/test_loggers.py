"""What every logger gets: metrics, the configuration, hyper-parameters, pictures; and runs without any."""

import importlib.util
import json
import shutil

import pytest
import yaml

from gan_lightning.training.resume import may_change
from gan_lightning.training.trainer import resume_loggers
from tests.conftest import TINY, refusal

PICTURED = (
    *(option for option in TINY if "samples" not in option),
    *("callbacks.video=null", "callbacks.samples.every_n_steps=2", "callbacks.samples.num=4"),
    *("trainer.log_every_n_steps=2", "trainer.max_steps=4"),
)
NAMES = ["step_00000000.png", "step_00000002.png", "step_00000004.png"]


def leaves(node) -> int:
    return sum(map(leaves, node.values())) if isinstance(node, dict) else 1


def test_a_logger_of_ones_own_gets_all(train):
    run = train("run", *PICTURED, "logger=none", "+logger.mine={_target_: helpers.OneFile, path: '${run_dir}/log'}")
    calls = [json.loads(line) for line in (run.folder / "log").read_text().splitlines()]
    assert [(step, *more) for kind, step, *more in calls if kind == "image" and more[0] == "samples"] == [
        (step, "samples", [name]) for step, name in zip((0, 2, 4), NAMES, strict=True)
    ]
    assert [more for kind, _, *more in calls if kind == "image" and more[0] == "real"] == [["real", ["real.png"]]]
    assert [step for kind, step, *_ in calls if kind == "metrics"] == [2, 4]
    assert [more for kind, _, *more in calls if kind == "hyperparams"] == [
        [yaml.safe_load((run.folder / "config.yaml").read_text())]
    ]
    assert calls[-1] == ["end", None, "success"]
    assert run.summary["loggers"] == {"mine": "file"}


def test_a_run_that_fails_ends_its_loggers(train):
    kill = "+callbacks.kill={_target_: helpers.KillAt, step: 3, number: null}"
    mine = "+logger.mine={_target_: helpers.OneFile, path: '${run_dir}/log'}"
    run = train("run", *PICTURED, "logger=none", mine, kill)
    assert run.code == 1
    ends = [line for line in (run.folder / "log").read_text().splitlines() if "end" in json.loads(line)]
    assert ends == ['["end", null, "failed"]']
    assert run.summary["loggers"] == {"mine": "file"}  # a resumed session goes on with the same log


def test_many_are_tensorboard_and_csv(train):
    run = train("run", *TINY, "logger=many", "trainer.max_steps=2")
    assert len(list(run.folder.glob("events.*"))) == 1
    assert (run.folder / "csv" / "metrics.csv").read_text().count("\n") == 2
    hparams = yaml.safe_load((run.folder / "csv" / "hparams.yaml").read_text())
    assert hparams == yaml.safe_load((run.folder / "config.yaml").read_text())


@pytest.mark.parametrize("nothing", ["none", "null"])
def test_no_logger_and_no_callbacks(train, nothing):
    """Also where the metrics set values of callbacks that are not there."""
    options = (option for option in TINY if not option.startswith("callbacks"))
    switched_off = (f"logger={nothing}", f"callbacks={nothing}", "augment=null")
    measured = ("metrics=random", "callbacks.evaluation.num=16")
    run = train("run", *options, *switched_off, *measured, "trainer.max_steps=2")
    assert run.code == 0, run.output
    assert run.summary["step"] == 2
    assert "metric/fid" in run.summary["final"]
    assert not list(run.folder.glob("samples")) + list(run.folder.glob("tensorboard")) + list(run.folder.glob("csv"))


def test_a_typed_setting_of_an_absent_callback_is_refused(train):
    outcome = train("run", "callbacks=none", "metrics=random", "callbacks.checkpoints.monitor=metric/kid")
    assert "callbacks.checkpoints={'monitor': 'metric/kid'}: expected options with a _target_" in outcome.output


@pytest.mark.parametrize(("logger", "package"), [("wandb", "wandb"), ("mlflow", "mlflow")])
def test_a_missing_package_is_one_line(monkeypatch, logger, package):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else find(name))
    assert f"logger.{logger}: needs the package {package}: pip install {package}" in refusal(f"logger={logger}")


def test_a_resumed_session_goes_on_with_the_same_logs():
    nodes = {"a": {"_target_": "x.MLFlowLogger"}, "b": {"_target_": "x.WandbLogger"}, "c": None}
    resumed = resume_loggers(nodes, 4, {"a": "1f", "b": "../2f"})  # a summary from elsewhere may say anything
    assert resumed == {"a": nodes["a"] | {"run_id": "1f"}, "b": nodes["b"], "c": None}
    assert resume_loggers(nodes, 4, None) == nodes
    assert may_change("logger.mlflow.tracking_uri")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of MLflow's database
def test_mlflow(train):
    mlflow = pytest.importorskip("mlflow")
    run = train("run", *PICTURED, "logger=mlflow")
    assert train("run", f"resume={run.folder}", "trainer.max_steps=8").code == 0
    client = mlflow.MlflowClient(f"sqlite:///{run.folder}/mlflow.db")
    (experiment,) = [each for each in client.search_experiments() if each.name == "gan_lightning"]
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.status == "FINISHED"
    history = client.get_metric_history(found.info.run_id, "loss/generator")
    assert [point.step for point in history] == [2, 4, 6, 8]
    assert found.data.params["model/optimizer/lr"] == "0.001"
    assert len(found.data.params) == leaves(yaml.safe_load((run.folder / "config.yaml").read_text()))
    pictures = [file.path for file in client.list_artifacts(found.info.run_id, "samples")]
    assert pictures == [f"samples/step_{step:08d}.png" for step in (0, 2, 4, 6, 8)]
    assert [file.path for file in client.list_artifacts(found.info.run_id, "real")] == ["real/real.png"]
    moved = shutil.move(run.folder, run.folder.parent / "moved")  # its database names the former place
    outcome = train("moved", f"resume={moved}", "trainer.max_steps=10")
    assert outcome.code == 1
    assert "logger.mlflow" in outcome.output
    assert train("moved", f"resume={moved}", "trainer.max_steps=10", "+logger.mlflow=null").code == 0


@pytest.mark.slow
def test_wandb_without_a_connection(train):
    """One run with one identity over two sessions; another run in the same process has its own."""
    pytest.importorskip("wandb")
    run = train("run", *PICTURED, "logger=wandb", "logger.wandb.offline=true")
    assert train("run", f"resume={run.folder}", "trainer.max_steps=8").code == 0
    sessions = list((run.folder / "wandb").glob("offline-run-*"))
    assert [session.name.rpartition("-")[2] for session in sessions] == [run.summary["loggers"]["wandb"]] * 2
    images = sorted(
        file.name.rpartition("_")[0] for file in run.folder.glob("wandb/offline-run-*/files/media/images/*")
    )
    assert [name.partition("_")[0] for name in images] == ["real"] + 5 * ["samples"]
    assert all(file.stat().st_size > 1000 for file in run.folder.glob("wandb/offline-run-*/run-*.wandb"))
    other = train("other", *PICTURED, "logger=wandb", "logger.wandb.offline=true")
    assert other.summary["loggers"]["wandb"] != run.summary["loggers"]["wandb"]
