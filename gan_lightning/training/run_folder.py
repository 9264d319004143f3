"""The run folder: the names of its files, and the lock that keeps other processes out."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from gan_lightning.errors import UserError
from gan_lightning.files import PARTS, remove_stale_parts, write_json

ENDED = ("finished", "pruned")
"""The statuses in `summary.json` of completed runs."""


class RunFolder:
    """The files of one run.

    Args:
        path: The run folder; it need not exist yet.
    """

    PATIENCE = 10.0
    """The time to wait for a folder in use, in seconds: loader workers of a killed run keep the lock for a while."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self.config = self.path / "config.yaml"
        self.summary = self.path / "summary.json"
        self.refusal = self.path / "refused.json"
        self.checkpoints = self.path / "checkpoints"
        self.last = self.checkpoints / "last.ckpt"
        self.samples = self.path / "samples"

    def is_locked(self) -> bool:
        """Whether a process is training in this folder."""
        if not (self.path / ".lock").exists():
            return False
        try:
            with FileLock(self.path / ".lock", timeout=0):
                return False
        except Timeout:
            return True

    @contextlib.contextmanager
    def locked(self, wait: bool = False) -> Iterator[None]:
        """Keeps other processes from training in this folder. The system releases the lock when the process dies.

        Args:
            wait: Whether to wait without a limit for another process; otherwise it is `PATIENCE`.

        Raises:
            UserError: The folder is still in use after that time.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=-1 if wait else self.PATIENCE)
        except Timeout as error:
            raise UserError(
                f"{self.path} is in use by another training process. Wait for it, stop it, or choose another "
                "hydra.run.dir"
            ) from error
        try:
            remove_stale_parts(self.path.rglob(PARTS))
            yield
        finally:
            lock.release()

    def write_summary(self, summary: dict[str, Any]) -> None:
        write_json(summary, self.summary)

    def read_summary(self) -> dict[str, Any]:
        return json.loads(self.summary.read_text()) if self.summary.exists() else {}

    def remove_leftovers(self) -> None:
        """Removes the logs and sample grids of a session that was killed before its first checkpoint.

        The run begins anew, and its own points would double theirs. What is in a folder without a run, or with one that
        has ended, belongs to the user.
        """
        if self.config.is_file() and self.read_summary().get("status") not in ENDED:
            for pattern in ("tensorboard/events.out.tfevents.*", "csv/metrics.csv", "samples/step_*.png"):
                for path in self.path.glob(pattern):
                    path.unlink(missing_ok=True)  # processes of a cluster do the same at the same time

    def refuse(self, reason: str) -> None:
        """Writes to `refused.json` why a job could not start. The files of another run here stay unchanged."""
        write_json({"status": "refused", "reason": reason}, self.refusal)

    def read_refusal(self) -> dict[str, Any]:
        return json.loads(self.refusal.read_text()) if self.refusal.exists() else {}
