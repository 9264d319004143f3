"""Starts, monitors and ends the other processes of this node."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.distributed as dist
from lightning.fabric.plugins import ClusterEnvironment

from gan_lightning._compat.torch import abort_collectives

SIGKILL = getattr(
    signal, "SIGKILL", signal.SIGTERM
)  # Windows has no SIGKILL; elsewhere SIGTERM does not end a blocked collective


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

    is_interactive_compatible = False

    def __init__(
        self, command: Sequence[str], cluster_environment: ClusterEnvironment, num_processes: int, num_nodes: int
    ) -> None:
        self.command = list(command) or [sys.executable, *sys.orig_argv[1:]]
        self.cluster_environment = cluster_environment
        self.num_processes = num_processes
        self.num_nodes = num_nodes
        self.procs: list[subprocess.Popen] = []
        """The processes that this process has started."""
        self._monitor: _Monitor | None = None

    def launch(self, function: Callable[..., Any], *args: Any, trainer: Any = None, **kwargs: Any) -> Any:
        """Starts the other processes, then calls `function` in this one and returns its result."""
        if not self.cluster_environment.creates_processes_externally:
            self._start()
            self._monitor = _Monitor(self.procs)
            self._monitor.start()
        if "OMP_NUM_THREADS" not in os.environ:
            cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
            torch.set_num_threads(max(1, cores // self.num_processes))
        try:
            return function(*args, **kwargs)
        except KeyboardInterrupt:
            self.kill(SIGKILL)
            raise

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
        """Waits until the other processes end, and removes their environment variables for the next job of a sweep."""
        if self._monitor is not None:
            self._monitor.stop()
        for process in self.procs:
            try:
                process.wait(_Monitor.GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for name in ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
            os.environ.pop(name, None)

    def _start(self) -> None:
        environment = self.cluster_environment
        os.environ["MASTER_ADDR"] = environment.main_address
        os.environ["MASTER_PORT"] = str(environment.main_port)
        os.environ["NODE_RANK"] = str(environment.node_rank())
        os.environ["LOCAL_RANK"] = str(environment.local_rank())
        os.environ["WORLD_SIZE"] = str(self.num_processes * self.num_nodes)
        modules = os.pathsep.join(path or os.getcwd() for path in sys.path)  # the user's own modules, too
        self.procs = [
            subprocess.Popen(self.command, env=os.environ | {"PYTHONPATH": modules, "LOCAL_RANK": str(local_rank)})
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
                how = (
                    f"was ended by signal {-code}"
                    if code < 0
                    else f"failed with exit code {code}, see its message above"
                )
                self.failure = f"rank {rank} {how}"
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
