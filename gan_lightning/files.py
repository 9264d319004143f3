"""Files that are written whole or not at all, locks, and the folder of a run."""

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

from gan_lightning.errors import UserError


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yields a path to write to, in the same folder; then flushes the file to the disk and renames it to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield partial
        _flush(partial)
        os.replace(partial, path)
        if os.name == "posix":
            _flush(path.parent)  # so that the new name, too, survives a power cut
    except OSError as error:
        if error.filename in (None, str(partial)):  # writing and flushing do not say which file
            error.strerror, error.filename = error.strerror or str(error).partition("\n")[0], str(path)
        raise
    finally:
        with contextlib.suppress(OSError):  # a second error would hide the first
            partial.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    descriptor = os.open(
        path, os.O_RDONLY if path.is_dir() else os.O_RDWR
    )  # Windows flushes only files that are open for writing
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def cache_folder() -> Path:
    """Returns the folder of files that can be made again: $GAN_LIGHTNING_CACHE, or the user's cache folder."""
    user_cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("GAN_LIGHTNING_CACHE") or Path(user_cache, "gan_lightning"))


@contextlib.contextmanager
def socket_timeout(seconds: float) -> Iterator[None]:
    """Sets a timeout for servers that do not answer; many libraries set none and would wait forever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Lets one process at a time make the file `path`; the others wait, and then find it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        yield


def write_json(content: dict[str, Any], path: Path) -> None:
    """Writes a JSON file whole or not at all. Infinity and NaN, which JSON does not have, become null."""
    with atomic(path) as partial:
        partial.write_text(json.dumps(_finite(content), indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON file of `write_json`; an empty dict if there is none.

    Raises:
        UserError: It is damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:  # of JSON or of UTF-8
        raise UserError(f"{path} is damaged: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} is damaged: expected an object of JSON, got {type(content).__name__}")
    return content


def _finite(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _finite(child) for name, child in node.items()}
    if isinstance(node, list):
        return [_finite(child) for child in node]
    return None if isinstance(node, float) and not math.isfinite(node) else node


def run_folder_of(place: str | Path) -> Path:
    """Returns the run folder that `place` is, or that the checkpoint `place` lies in."""
    path = Path(place)
    return path.parent.parent if path.suffix == ".ckpt" else path
