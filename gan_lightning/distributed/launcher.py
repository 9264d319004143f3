"""Starts the other processes of this node, and sees to their end."""

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

SIGKILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has no other; SIGTERM does not end a hanging collective


class Launcher:
    """Starts the other processes of this node.

    It has what the Trainer asks of a launcher: `launch`, `kill` and `is_interactive_compatible`.

    Args:
        command: The command of another process, which gets its number as LOCAL_RANK in its environment. An empty one
            stands for the command that started this process.
        cluster_environment: says whether somebody else (srun, torchrun) starts the processes.
        num_processes: on each node.
        num_nodes: how many machines there are.
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
        """The processes that this one has started."""
        self._observer: _Observer | None = None

    def launch(self, function: Callable[..., Any], *args: Any, trainer: Any = None, **kwargs: Any) -> Any:
        """Starts the other processes, then calls the function in this one."""
        if not self.cluster_environment.creates_processes_externally:
            self._start()
            self._observer = _Observer(self.procs)
            self._observer.start()
        if "OMP_NUM_THREADS" not in os.environ:
            cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
            torch.set_num_threads(max(1, cores // self.num_processes))
        try:
            return function(*args, **kwargs)
        except KeyboardInterrupt:
            self.kill(SIGKILL)
            raise

    def kill(self, signum: int) -> None:
        """Sends the other processes a signal."""
        if self._observer is not None:
            self._observer.stop()  # it would take the children's end for a failure, and kill us
        for process in self.procs:
            process.send_signal(signum)

    def cause(self, error: BaseException) -> str | None:
        """Which other process's end has made ours fail, if that is what happened."""
        lost = isinstance(error, dist.DistError) or "gloo" in str(error).lower()
        if self._observer is None or not lost:
            return None
        self._observer.found.wait(_Observer.GRACE)
        return self._observer.finding

    def leave(self) -> None:
        """Sees the other processes to their end, and leaves no trace of them to the next job of a sweep."""
        if self._observer is not None:
            self._observer.stop()
        for process in self.procs:
            try:
                process.wait(_Observer.GRACE)
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
        modules = os.pathsep.join(path or os.getcwd() for path in sys.path)  # the user's own, wherever they lie
        self.procs = [
            subprocess.Popen(self.command, env=os.environ | {"PYTHONPATH": modules, "LOCAL_RANK": str(local_rank)})
            for local_rank in range(1, self.num_processes)
        ]


class _Observer(threading.Thread):
    """Ends the other processes when one has failed, but first lets them tell why they fail too.

    Attributes:
        finding: which process failed, and how; set once `found` is.
    """

    GRACE = 10.0

    def __init__(self, processes: list[subprocess.Popen]) -> None:
        super().__init__(daemon=True, name="observer")
        self.processes = processes
        self.finding: str | None = None
        self.found = threading.Event()
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.5):
            codes = [process.poll() for process in self.processes]
            if any(codes):
                rank, code = next((rank, code) for rank, code in enumerate(codes, start=1) if code)
                how = f"was ended by signal {-code}" if code < 0 else f"failed with exit code {code}, as it told above"
                self.finding = f"rank {rank} {how}"
                self.found.set()
                if not self._over.wait(self.GRACE):
                    self._end()
                return

    def _end(self) -> None:
        """Ends what is left; our own process, which may be a sweep's or a notebook's, only loses its company."""
        for process in self.processes:
            process.kill()
        if dist.is_initialized() and dist.get_backend() == "nccl":  # gloo notices, NCCL would wait for ever
            abort_collectives()

    def stop(self) -> None:
        """Lets the processes end as they like."""
        self._over.set()
