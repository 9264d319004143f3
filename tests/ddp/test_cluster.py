"""Processes that srun and torchrun start: one is killed, and the job is started again by the same command."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest
import torch.distributed as dist
from lightning.fabric.plugins.environments import TorchElasticEnvironment

from gan_lightning.distributed import cluster
from gan_lightning.distributed.cluster import cluster_environment, decide_together
from gan_lightning.errors import UserError
from tests.conftest import PROJECT, TINY, Outcome, training_differences

RUN = (*TINY, "trainer.max_steps=60", "callbacks.checkpoints.every_n_steps=10")
LIMIT = 240
"""The time that the processes of a job have, in seconds."""


def unused_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@contextlib.contextmanager
def processes(commands, cwd):
    """Starts a process for each command and variables; ends them and all that they have started."""
    files = [(cwd / f"{index}.txt").open("a+") for index in range(len(commands))]
    started = [
        subprocess.Popen(command, cwd=cwd, env=os.environ | more, stdout=file, stderr=file, start_new_session=True)
        for (command, more), file in zip(commands, files, strict=True)
    ]
    try:
        yield started
    finally:
        for process, file in zip(started, files, strict=True):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            file.close()


def ended(commands, cwd) -> tuple[list[int], str]:
    """Returns the exit codes of the processes, and their output."""
    with processes(commands, cwd) as started:
        codes = [process.wait(LIMIT) for process in started]
    return codes, "\n".join((cwd / f"{index}.txt").read_text() for index in range(len(commands)))


def job(tmp_path) -> list[str]:
    """A job of two nodes, whose second process is killed once."""
    kill = f"+callbacks.kill={{_target_: helpers.KillAt, step: 25, rank: 1, once: {tmp_path}/killed}}"
    return [str(PROJECT / "train.py"), *RUN, "trainer.num_nodes=2", "resume=auto", "name=job", kill]


@pytest.mark.slow
def test_torchrun_starts_a_killed_job_again(train, tmp_path):
    """Each agent is that of a node; when a process is killed, both start theirs again."""
    agent = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", "--max-restarts=2"]
    agent += ["--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{unused_port()}", "--rdzv-id=mine", *job(tmp_path)]
    codes, output = ended([(agent, {})] * 2, tmp_path)
    assert codes == [0, 0], output
    assert (tmp_path / "killed").exists()
    run = Outcome(0, output, tmp_path / "logs" / "job" / "mine")
    assert training_differences(run, train("undisturbed", *RUN, "trainer.devices=2")) == []


@pytest.mark.slow
def test_slurm_starts_a_killed_job_again(train, tmp_path):
    """The variables are those that srun sets; Lightning makes a port of the job's number."""
    number = unused_port() % 10_000

    def tasks(restarts: int):
        variables = {
            "SLURM_JOB_ID": f"1{number:04}",
            "SLURM_JOB_NAME": "train",
            "SLURM_JOB_NUM_NODES": "2",
            "SLURM_NNODES": "2",
            "SLURM_NTASKS": "2",
            "SLURM_NTASKS_PER_NODE": "1",
            "SLURM_NODELIST": "localhost",
            "SLURM_JOB_NODELIST": "localhost",
            "SLURM_STEP_ID": str(restarts),
            **({"SLURM_RESTART_COUNT": str(restarts)} if restarts else {}),
        }
        command = [sys.executable, *job(tmp_path)]
        ranks = ({"SLURM_PROCID": str(r), "SLURM_NODEID": str(r), "SLURM_LOCALID": "0"} for r in range(2))
        return [(command, variables | rank) for rank in ranks]

    codes, output = ended(tasks(0), tmp_path)
    assert codes[1] == -signal.SIGKILL, output
    assert codes[0] != 0
    codes, output = ended(tasks(1), tmp_path)
    assert codes == [0, 0], output
    run = Outcome(0, output, tmp_path / "logs" / "job" / f"1{number:04}")
    assert training_differences(run, train("undisturbed", *RUN, "trainer.devices=2")) == []
    codes, output = ended(tasks(2), tmp_path)
    assert codes == [0, 0]
    assert f"{run.folder} is finished, 60 batches" in output


class Rank(TorchElasticEnvironment):
    """One of two processes, in a thread of this one."""

    def __init__(self, rank: int, port: int) -> None:
        super().__init__()
        self.rank, self.port = rank, port

    main_address = "127.0.0.1"
    main_port = property(lambda self: self.port)

    def global_rank(self) -> int:
        return self.rank

    def world_size(self) -> int:
        return 2


@pytest.fixture
def together(monkeypatch):
    """Calls functions as the first and the second of two processes; returns their results, or errors."""
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "")
    port = unused_port()
    server = dist.TCPStore("127.0.0.1", port, is_master=True, wait_for_workers=False)  # that of torchrun
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    results: dict[int, object] = {}

    def call(rank, decide):
        try:
            results[rank] = decide_together(decide, Rank(rank, port))
        except Exception as error:
            results[rank] = error

    def both(first, second):
        threads = [threading.Thread(target=call, args=arguments) for arguments in ((0, first), (1, second))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        return results[0], results[1]

    both.server = dist.PrefixStore("gan_lightning", server)
    return both


def never() -> None:
    raise AssertionError("only the first process decides")


def test_the_first_process_decides_for_all_in_a_store_of_this_start(together):
    together.server.set("question/1", "of a process that was killed")
    (one, first), (other, second) = together(lambda: ["last.ckpt", 20], never)
    assert one == other == ["last.ckpt", 20]
    first.set("key", "of this start")
    assert second.get("key") == b"of this start"
    (one, after), (other, _) = together(lambda: ["last.ckpt", 40], never)
    assert one == other == ["last.ckpt", 40]
    assert not after.check(["key"])


def test_all_processes_fail_with_the_first(together):
    def refuse():
        raise UserError("holds a run already")

    for error in together(refuse, never):
        assert isinstance(error, UserError)
        assert str(error) == "holds a run already"
    first, second = together(lambda: 1 / 0, never)
    assert isinstance(first, ZeroDivisionError)
    assert str(second) == "the first process failed: division by zero"


def test_a_process_that_does_not_come(together, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", cluster.timedelta(seconds=0.2))
    with pytest.raises(RuntimeError, match="processes that did not come: ranks 1"):
        decide_together(lambda: None, Rank(0, together.server.underlying_store.port))


def test_a_single_task_decides_alone(monkeypatch):
    assert cluster_environment() is None
    monkeypatch.setenv("SLURM_NTASKS", "1")
    assert cluster_environment() is None
    monkeypatch.setenv("SLURM_NTASKS", "2")
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "2")
    assert cluster_environment().world_size() == 2
