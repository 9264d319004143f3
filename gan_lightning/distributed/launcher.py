"""Starts the other processes of this node, and sees to their end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.types import RunMode
from lightning.fabric.plugins import ClusterEnvironment

from gan_lightning._compat.torch import abort_collectives

SIGKILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has no other; SIGTERM does not end a hanging collective


class Launcher:
    """Starts the other processes of this node with the command that this job was composed from.

    It has what the Trainer asks of a launcher: `launch`, `kill` and `is_interactive_compatible`.

    Args:
        cluster_environment: says whether somebody else (srun, torchrun) starts the processes.
        num_processes: on each node.
        num_nodes: how many machines there are.
    """

    is_interactive_compatible = False

    def __init__(self, cluster_environment: ClusterEnvironment, num_processes: int, num_nodes: int) -> None:
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
        self.procs = [
            subprocess.Popen(_child_command(), env={**os.environ, "LOCAL_RANK": str(local_rank)})
            for local_rank in range(1, self.num_processes)
        ]


def _child_command() -> list[str]:
    """The command line that repeats this one job, also where it is one of a sweep's, in a launcher's process."""
    if not HydraConfig.initialized():
        return [sys.executable, *sys.orig_argv[1:]]
    hydra = HydraConfig.get()
    sources = hydra.runtime.config_sources
    extra = [source.path for source in sources if source.provider == "command-line"]
    conf = next(Path(source.path) for source in sources if source.provider == "main")
    return [
        *(sys.executable, str(conf.parent / f"{hydra.job.name}.py")),
        *(argument for path in extra for argument in ("--config-dir", path)),
        *(f"--config-name={hydra.job.config_name}",),
        *(override for override in hydra.overrides.hydra if override.startswith("hydra.searchpath")),
        *hydra.overrides.task,
        f"hydra.run.dir={QuotedString(hydra.runtime.output_dir, Quote.single).with_quotes()}",
        "hydra.mode=RUN",
        "hydra.output_subdir=null",
        "hydra/job_logging=stdout",
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
        """Ends what is left. A sweep's own process goes on with its next job: it only loses its company."""
        for process in self.processes:
            process.kill()
        if not (HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN):
            os.kill(os.getpid(), SIGKILL)
        if dist.is_initialized() and dist.get_backend() == "nccl":  # gloo notices, NCCL would wait for ever
            abort_collectives()

    def stop(self) -> None:
        """Lets the processes end as they like."""
        self._over.set()
