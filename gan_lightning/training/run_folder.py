"""The folder of a run: its files by name, and the lock that keeps other processes out."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from gan_lightning.errors import UserError
from gan_lightning.files import write_json

ENDED = ("finished", "pruned")
"""Statuses in `summary.json` of runs that have nothing left to do."""


class RunFolder:
    """The files of one run, by name."""

    PATIENCE = 10.0
    """Seconds to wait for a folder in use: loader workers of a killed run hold on to it for some."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self.config = self.path / "config.yaml"
        self.summary = self.path / "summary.json"
        self.refusal = self.path / "refused.json"
        self.checkpoints = self.path / "checkpoints"
        self.last = self.checkpoints / "last.ckpt"
        self.samples = self.path / "samples"

    def is_locked(self) -> bool:
        """Whether a process trains into this folder."""
        if not (self.path / ".lock").exists():
            return False
        try:
            with FileLock(self.path / ".lock", timeout=0):
                return False
        except Timeout:
            return True

    @contextlib.contextmanager
    def locked(self, wait: bool = False) -> Iterator[None]:
        """Keeps other processes from training into this folder; the system lifts it if we die.

        Args:
            wait: for as long as it takes, if another process does.
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
            yield
        finally:
            lock.release()

    def write_summary(self, summary: dict[str, Any]) -> None:
        write_json(summary, self.summary)

    def read_summary(self) -> dict[str, Any]:
        return json.loads(self.summary.read_text()) if self.summary.exists() else {}

    def refuse(self, reason: str) -> None:
        """Notes why a job could not start, beside what another run may have left here."""
        write_json({"status": "refused", "reason": reason}, self.refusal)

    def read_refusal(self) -> dict[str, Any]:
        return json.loads(self.refusal.read_text()) if self.refusal.exists() else {}
