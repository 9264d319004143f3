"""Several processes that train one GAN: one gradient all-reduce per optimizer step, and their launch."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.nn
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.types import RunMode
from lightning.fabric.strategies.launchers.subprocess_script import (
    _basic_subprocess_cmd,
    _ChildProcessObserver,
)
from lightning.fabric.utilities.distributed import _set_num_threads_if_needed
from lightning.pytorch import Trainer
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.strategies.launchers.subprocess_script import _SubprocessScriptLauncher
from torch import Tensor


@torch.no_grad()
def average_(tensors: Sequence[Tensor]) -> None:
    """Replaces every tensor by its mean over all processes, in one all-reduce."""
    flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    means = flat.split([tensor.numel() for tensor in tensors])
    for tensor, mean in zip(tensors, means, strict=True):
        tensor.copy_(mean.view_as(tensor))


def sum_(tensor: Tensor) -> Tensor:
    """The tensor, having become its sum over all processes, of which there may be but one."""
    if dist.is_available() and dist.is_initialized():
        dist.all_reduce(tensor)
    return tensor


def mean_of_all(mean: Tensor) -> Tensor:
    """The mean over all processes of their means, with a gradient into every one of them."""
    if not (dist.is_available() and dist.is_initialized()):
        return mean
    return dist.nn.functional.all_reduce(mean) / dist.get_world_size()


def gathered(own: Any) -> list[Any]:
    """What every process holds, in order of their ranks, for the first one; nothing for the others."""
    parts: list[Any] | None = [None] * dist.get_world_size() if dist.get_rank() == 0 else None
    dist.gather_object(own, parts)
    return parts or []


class GANStrategy(DDPStrategy):
    """Data parallelism for a module of several networks that take turns.

    DistributedDataParallel reduces every parameter at every backward, and refuses parameters that a turn
    leaves out. Here the module stays unwrapped and `GAN` averages the gradients of the player that moves:
    half the traffic, and right under gradient penalties too.
    """

    def _configure_launcher(self) -> None:
        assert self.cluster_environment is not None
        self._launcher = _Launcher(self.cluster_environment, self.num_processes, self.num_nodes)

    def configure_ddp(self) -> None:
        """Instead of wrapping the module, gives every process the first one's weights."""
        assert self.model is not None
        for tensor in self.model.state_dict().values():
            dist.broadcast(tensor, src=0)

    def setup(self, trainer: Trainer) -> None:
        super().setup(trainer)
        # Lightning would broadcast a flag before every batch; `GracefulStop` does it without waiting.
        trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None  # type: ignore[method-assign]


class _Launcher(_SubprocessScriptLauncher):
    """Starts the other processes of this node with the command that this job was composed from."""

    _observer: _Observer | None = None

    def launch(self, function, *args, trainer=None, **kwargs):  # type: ignore[no-untyped-def]
        if not self.cluster_environment.creates_processes_externally:
            self._call_children_scripts()
            self._observer = _Observer(main_pid=os.getpid(), child_processes=self.procs)
            self._observer.start()
        _set_num_threads_if_needed(self.num_processes)
        return function(*args, **kwargs)

    def kill(self, signum):  # type: ignore[no-untyped-def]
        if self._observer is not None:
            self._observer.stop()  # it would take the children's end for a failure, and kill us
        super().kill(signum)

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

    def _call_children_scripts(self) -> None:
        self._check_can_spawn_children()
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
        return list(_basic_subprocess_cmd())
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


class _Observer(_ChildProcessObserver):
    """Ends the other processes when one has failed, but first lets them tell why they fail too.

    Attributes:
        finding: which process failed, and how; set once `found` is.
    """

    GRACE = 10.0

    def __init__(self, main_pid: int, child_processes: list[subprocess.Popen]) -> None:
        super().__init__(main_pid, child_processes)
        self.finding: str | None = None
        self.found = threading.Event()
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.5):
            codes = [process.poll() for process in self._child_processes]
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
        if not (HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN):
            self._terminate_all()
            return
        for process in self._child_processes:
            process.kill()
        if dist.is_initialized() and dist.get_backend() == "nccl":  # gloo notices, NCCL would wait for ever
            dist.distributed_c10d._abort_process_group()  # type: ignore[attr-defined]

    def stop(self) -> None:
        """Lets the processes end as they like."""
        self._over.set()
