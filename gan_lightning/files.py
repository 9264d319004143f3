"""Files that are written whole or not at all, locks, and the folder of a run."""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
import shutil
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock

from gan_lightning.errors import UserError

AUTO = "auto"
"""The value of `resume` that stands for the run in the run folder, if there is one, and else for a new run."""
PARTS = ".*.part"
"""The names of files that `atomic` has not finished."""


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yields an empty file to write to, in the same folder; then flushes it to the disk and renames it to `path`.

    The file is locked meanwhile, so that `remove_stale_parts` can tell it from those of killed processes. It must be
    written to, not replaced by another file of its name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(_new_part(path)) as part:
        partial = Path(part.name)
        try:
            yield partial
            _flush(partial)
            _rename(partial, path)
        except OSError as error:
            if error.filename2 == str(partial):  # copying names the source first
                error.filename2 = str(path)
            elif error.filename in (None, str(partial)):  # writing and flushing do not say which file
                error.strerror, error.filename = error.strerror or str(error).partition("\n")[0], str(path)
            raise
        finally:
            with contextlib.suppress(OSError):  # a second error would hide the first
                partial.unlink(missing_ok=True)


def link(source: Path, path: Path) -> None:
    """Gives a file a second name, `path`, which may be that of another file: a hard link, or a copy where links fail.

    Both names stand for the same bytes on the disk, so that neither file may be written in place.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with source.open("rb") as file:
        _lock(file, wait=True)  # so that `remove_stale_parts` leaves its second name alone
        try:
            os.link(source, partial)
            _rename(partial, path)
        except OSError:
            with atomic(path) as copy, copy.open("wb") as copied:
                shutil.copyfileobj(file, copied)
        finally:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)


def remove_stale_parts(parts: Iterable[Path]) -> None:
    """Removes those of the files `PARTS` that killed processes have left.

    The system releases the locks of a process that dies, whichever machine or container it was in. Where the file
    system has no locks, or the file cannot be opened, nothing is removed.
    """
    for path in parts:
        with contextlib.suppress(OSError), path.open("r+b") as part:
            if _lock(part, wait=False):
                path.unlink()


def _new_part(path: Path) -> BinaryIO:
    """A new, locked file beside `path`; closed where there are no locks, since Windows does not rename open files."""
    while True:
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part").open("xb")
        if not _lock(part, wait=True):
            part.close()
        elif os.fstat(part.fileno()).st_nlink == 0:  # `remove_stale_parts` has locked it first
            part.close()
            continue
        return part


def _lock(file: BinaryIO, wait: bool) -> bool:
    """Locks an open file; returns False if another process has locked it, or if there are no locks here."""
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _rename(partial: Path, path: Path) -> None:
    os.replace(partial, path)
    if os.name == "posix":
        _flush(path.parent)  # so that the new name, too, survives a power cut


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
def file_lock(path: Path, timeout: float = -1) -> Iterator[None]:
    """Lets one process at a time make the file `path`; the others wait, and then find it.

    Raises:
        filelock.Timeout: Another process has it for longer than `timeout` seconds; -1: wait for ever.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock"), timeout):
        remove_stale_parts(path.parent.glob(PARTS))
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
    path = Path(str(place))
    return path.parent.parent if path.suffix == ".ckpt" else path


def own_file(path: Path, folder: Path) -> Path:
    """Returns `path` if it is a regular file in `folder`; a run folder from others may link to any file of the machine.

    Raises:
        UserError: It is a folder, a named pipe or the like, or a link leads out of `folder`.
    """
    if not path.is_file():  # a named pipe would never end
        raise UserError(f"{path} is no regular file")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{path} is a link to a file outside of {folder}")
    return path
