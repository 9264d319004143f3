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

from filelock import FileLock


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
def socket_timeout(seconds: float) -> Iterator[None]:
    """Gives up on servers that do not answer; many libraries would wait for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[None]:
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


def run_folder_of(place: str | Path) -> Path:
    """The folder of a run that is named by itself or by one of its checkpoints."""
    path = Path(place)
    return path.parent.parent if path.suffix == ".ckpt" else path
