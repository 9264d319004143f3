"""Files that are either whole or absent, and the folder of a run."""

from __future__ import annotations

import contextlib
import json
import math
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from gan_lightning.errors import UserError


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A path to write to, in the same folder; it becomes `path` once written and flushed to the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield partial
        _flush(partial)
        os.replace(partial, path)
        if os.name == "posix":
            _flush(path.parent)  # the new name itself
    finally:
        partial.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)  # Windows flushes what it may write
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def cache_folder() -> Path:
    """Where things are kept that can be made again: $GAN_LIGHTNING_CACHE, else the user's cache."""
    users = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("GAN_LIGHTNING_CACHE") or Path(users, "gan_lightning"))


@contextlib.contextmanager
def answering_within(seconds: float) -> Iterator[None]:
    """Gives up on servers that do not answer; many libraries would wait for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


@contextlib.contextmanager
def making(path: Path) -> Iterator[None]:
    """Lets one process at a time make a file; the others wait, then find it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        yield


def write_json(content: dict[str, Any], path: Path) -> None:
    """Writes JSON whole or not at all; it has no word for infinite numbers and those that are none: null."""
    with atomic(path) as partial:
        partial.write_text(json.dumps(_finite(content), indent=2, allow_nan=False) + "\n")


def _finite(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _finite(child) for name, child in node.items()}
    if isinstance(node, list):
        return [_finite(child) for child in node]
    return None if isinstance(node, float) and not math.isfinite(node) else node


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
