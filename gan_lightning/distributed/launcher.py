"""Starts, monitors and ends the other processes of this node."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from lightning.fabric.plugins import ClusterEnvironment

from gan_lightning._compat.torch import abort_collectives

SIGKILL = getattr(signal, "SIGKILL", signal.SIGTERM)
"""Ends a process in a blocked collective, which SIGTERM does not; Windows has no other signal than SIGTERM."""
MEETING = "GAN_LIGHTNING_MEETING"
"""The environment variable that names the folder where the other processes of a node say that they are ready."""

VARIABLES = ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""The environment variables by which the processes find each other; they are restored after a run."""


class Launcher:
    """Starts the other processes of this node.

    The Trainer requires `launch`, `kill` and `is_interactive_compatible`.

    Args:
        command: The command of another process, which gets its rank in the environment variable LOCAL_RANK. An empty
            command stands for the one that started this process.
        cluster_environment: The cluster environment; it shows whether srun or torchrun starts the processes.
        num_processes: The number of processes on each node.
        num_nodes: The number of nodes.
    """

    def __init__(
        self, command: Sequence[str], cluster_environment: ClusterEnvironment, num_processes: int, num_nodes: int
    ) -> None:
        self.is_interactive_compatible = bool(command)  # in a notebook, the command of this process starts the kernel
        self.command = list(command) or [sys.executable, *sys.orig_argv[1:]]
        self.cluster_environment = cluster_environment
        self.num_processes = num_processes
        self.num_nodes = num_nodes
        self.procs: list[subprocess.Popen] = []
        """The processes that this process has started."""
        self._monitor: _Monitor | None = None
        self._meeting: Path | None = None
        self._variables_before: dict[str, str | None] = {}

    def launch(self, function: Callable[..., Any], *args: Any, trainer: Any = None, **kwargs: Any) -> Any:
        """Starts the other processes, then calls `function` in this one and returns its result."""
        self._variables_before = {name: os.environ.get(name) for name in VARIABLES}
        with tempfile.TemporaryDirectory(prefix="gan_lightning_") as meeting:
            if not self.cluster_environment.creates_processes_externally:
                self._meeting = Path(meeting)
                self._start(self._meeting)
                self._monitor = _Monitor(self.procs)
                self._monitor.start()
            threads = torch.get_num_threads()
            if "OMP_NUM_THREADS" not in os.environ:
                cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
                torch.set_num_threads(max(1, cores // self.num_processes))
            try:
                return function(*args, **kwargs)
            except KeyboardInterrupt:
                self.kill(SIGKILL)
                raise
            finally:
                self._meeting = None
                torch.set_num_threads(threads)  # a notebook or a sweep goes on

    def meet(self) -> None:
        """Waits until the other processes of this node are ready, too; called before the process group exists.

        Torch waits half an hour for a process that has ended, and nothing can interrupt it.

        Raises:
            RuntimeError: A process has ended before it was ready. The others are ended, too.
        """
        if MEETING in os.environ:  # in one of the other processes
            Path(os.environ.pop(MEETING), os.environ["LOCAL_RANK"]).touch()
        if self._meeting is None:
            return
        missing = dict(enumerate(self.procs, start=1))
        while missing:
            for rank, process in list(missing.items()):
                code = process.poll()  # before the next line, because a process may be ready and then end
                if (self._meeting / str(rank)).exists():
                    del missing[rank]
                elif code is not None:
                    self.kill(SIGKILL)
                    self.wait_for_processes()
                    raise RuntimeError(_failure(rank, code))
            time.sleep(0.05)

    def kill(self, signum: int) -> None:
        """Sends a signal to the other processes."""
        if self._monitor is not None:
            self._monitor.stop()  # otherwise it would report the ends of these processes as failures
        for process in self.procs:
            process.send_signal(signum)

    def failed_process(self, error: BaseException) -> str | None:
        """Describes the failed process that caused `error` in this one; None if `error` has another cause."""
        lost = isinstance(error, dist.DistError) or "gloo" in str(error).lower()
        if self._monitor is None or not lost:
            return None
        self._monitor.found.wait(_Monitor.GRACE)
        return self._monitor.failure

    def wait_for_processes(self) -> None:
        """Waits until the other processes end, and restores the environment variables for the next run."""
        if self._monitor is not None:
            self._monitor.stop()
        for process in self.procs:
            try:
                process.wait(_Monitor.GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for name, value in self._variables_before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value

    def _start(self, meeting: Path) -> None:
        environment = self.cluster_environment
        os.environ["MASTER_ADDR"] = environment.main_address
        os.environ["MASTER_PORT"] = str(environment.main_port)
        os.environ["NODE_RANK"] = str(environment.node_rank())
        os.environ["LOCAL_RANK"] = str(environment.local_rank())
        os.environ["WORLD_SIZE"] = str(self.num_processes * self.num_nodes)
        modules = os.pathsep.join(path or os.getcwd() for path in sys.path)  # the user's own modules, too
        more = {"PYTHONPATH": modules, MEETING: str(meeting)}
        self.procs = [
            subprocess.Popen(self.command, env=os.environ | more | {"LOCAL_RANK": str(local_rank)})
            for local_rank in range(1, self.num_processes)
        ]


class _Monitor(threading.Thread):
    """Ends the other processes when one has failed, after `GRACE` seconds for their own error messages.

    Attributes:
        failure: Which process failed, and how; None until `found` is set.
        found: Set when a process has failed.
    """

    GRACE = 10.0

    def __init__(self, processes: list[subprocess.Popen]) -> None:
        super().__init__(daemon=True, name="monitor")
        self.processes = processes
        self.failure: str | None = None
        self.found = threading.Event()
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.5):
            codes = [process.poll() for process in self.processes]
            if any(codes):
                rank, code = next((rank, code) for rank, code in enumerate(codes, start=1) if code)
                self.failure = _failure(rank, code)
                self.found.set()
                if not self._over.wait(self.GRACE):
                    self._end()
                return

    def _end(self) -> None:
        """Ends the other processes, but not this one, which may be a notebook or a sweep."""
        for process in self.processes:
            process.kill()
        if dist.is_initialized() and dist.get_backend() == "nccl":  # gloo detects it, NCCL would wait forever
            abort_collectives()

    def stop(self) -> None:
        """Stops monitoring: processes that end are no longer failures."""
        self._over.set()


def _failure(rank: int, code: int) -> str:
    """Describes the end of a process in words."""
    if code < 0:
        return f"rank {rank} was ended by signal {-code}"
    return f"rank {rank} failed with exit code {code}, see its message above"
