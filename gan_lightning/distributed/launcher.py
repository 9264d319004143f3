"""Starts the other processes of this node, and sees to their end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

import torch.distributed as dist
from lightning.fabric.strategies.launchers.subprocess_script import _ChildProcessObserver
from lightning.fabric.utilities.distributed import _set_num_threads_if_needed
from lightning.pytorch.strategies.launchers.subprocess_script import _SubprocessScriptLauncher


class Launcher(_SubprocessScriptLauncher):
    """Starts the other processes of this node.

    Args:
        command: starts one of them; it gets its number as LOCAL_RANK in its environment.
        more: arguments of Lightning's launcher.
    """

    _observer: _Observer | None = None

    def __init__(self, command: Sequence[str], *more: Any) -> None:
        super().__init__(*more)
        self.command = command

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
        modules = os.pathsep.join(path or os.getcwd() for path in sys.path)  # the user's own, wherever they lie
        self.procs = [
            subprocess.Popen(self.command, env=os.environ | {"PYTHONPATH": modules, "LOCAL_RANK": str(local_rank)})
            for local_rank in range(1, self.num_processes)
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
        """Ends what is left; our own process, which may be a sweep's or a notebook's, only loses its company."""
        for process in self._child_processes:
            process.kill()
        if dist.is_initialized() and dist.get_backend() == "nccl":  # gloo notices, NCCL would wait for ever
            dist.distributed_c10d._abort_process_group()  # type: ignore[attr-defined]

    def stop(self) -> None:
        """Lets the processes end as they like."""
        self._over.set()
