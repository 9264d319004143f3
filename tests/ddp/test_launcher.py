"""The start of the other processes, and a process that ends before training."""

import json
import os
import signal
import sys
import time

import pytest
import torch
from lightning import Trainer
from lightning.fabric.plugins.environments import LightningEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.trainer.connectors import accelerator_connector

from gan_lightning.distributed.launcher import Launcher
from gan_lightning.distributed.strategy import GANStrategy
from gan_lightning.training import worker
from gan_lightning.training.experiment import Experiment
from gan_lightning.training.run_folder import RunFolder
from gan_lightning.training.worker import worker_command
from tests.conftest import TINY


def strategy_of(*command: str) -> GANStrategy:
    """The strategy of a Trainer of two processes, the second of which runs `command`."""
    trainer = Trainer(
        accelerator="cpu", devices=2, strategy=GANStrategy(command), logger=False, enable_checkpointing=False
    )
    return trainer.strategy


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ("sys.exit(3)", "rank 1 failed with exit code 3, see its message above"),
        ("sys.exit(0)", "rank 1 failed with exit code 0"),
        ("os.kill(os.getpid(), 9)", "rank 1 was ended by signal 9"),
    ],
)
def test_a_process_that_ends_before_the_process_group_exists(end, message, monkeypatch):
    monkeypatch.setenv("NODE_RANK", "0")
    strategy = strategy_of(sys.executable, "-c", f"import os, sys; {end}")
    with pytest.raises(RuntimeError, match=message):
        strategy.launcher.launch(strategy.setup_environment)
    assert "LOCAL_RANK" not in os.environ  # so that the next Trainer starts its processes
    assert os.environ["NODE_RANK"] == "0"  # the user's own


@pytest.mark.slow
def test_the_next_job_of_a_sweep_survives_it(train_apart, tmp_path):
    end = "+callbacks.end={_target_: helpers.EndsWhenBuilt, rank: 1, code: 3, once: '${run_dir}/../ended'}"
    sweep = ("-m", *TINY, end, "seed=0,1", "trainer.max_steps=5", "trainer.devices=2", f"hydra.sweep.dir={tmp_path}/s")
    outcome = train_apart("unused", *sweep)
    assert outcome.code == 1
    assert "rank 1 failed with exit code 3" in outcome.output
    statuses = sorted(json.loads(file.read_text())["status"] for file in (tmp_path / "s").glob("*/summary.json"))
    assert statuses == ["failed", "finished"]


def test_a_notebook_needs_a_command_of_the_other_processes(monkeypatch):
    monkeypatch.setattr(accelerator_connector, "_IS_INTERACTIVE", True)  # Lightning reads sys.ps1 on import
    assert strategy_of("anything").launcher.is_interactive_compatible
    with pytest.raises(MisconfigurationException, match="not compatible with an interactive environment"):
        strategy_of()


def test_the_number_of_threads_is_restored(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS")
    torch.set_num_threads(3)
    launcher = Launcher(["anything"], LightningEnvironment(), num_processes=os.cpu_count(), num_nodes=1)
    monkeypatch.setattr(launcher, "_start", lambda meeting: None)
    assert launcher.launch(torch.get_num_threads) == 1
    assert torch.get_num_threads() == 3


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python has no -P")
def test_a_worker_imports_what_the_first_process_does(tmp_path, monkeypatch):
    """A module beside the user's script, but none of the current folder, which is not on the first one's path."""
    stub = tmp_path / "script" / "gan_lightning" / "training"
    stub.mkdir(parents=True)
    for package in (stub.parent, stub):
        (package / "__init__.py").write_text("")
    (stub / "worker.py").write_text("import beside, random")
    (tmp_path / "script" / "beside.py").write_text("")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "random.py").write_text("import sys; sys.exit(7)")
    monkeypatch.syspath_prepend(str(tmp_path / "script"))
    monkeypatch.chdir(tmp_path / "here")
    with worker_command({}, RunFolder(tmp_path), None) as command:
        launcher = strategy_of(*command).launcher
        assert launcher.launch(lambda: launcher.procs[0].wait()) == 0
    launcher.wait_for_processes()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_worker_ends_when_the_first_process_was_killed(tmp_path, monkeypatch):
    """Torch would wait for it for half an hour, and in a collective of NCCL longer."""
    monkeypatch.setattr(Experiment, "train", lambda *_: time.sleep(60))
    file = tmp_path / "run.json"
    file.write_text(json.dumps({"config": {}, "folder": str(tmp_path), "start": None, "parent": -1}))
    child = os.fork()
    if child == 0:
        try:
            worker.main(str(file))
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
