"""The cache's file of decoded pictures, and the journal that says what is in it and verifies it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
import warnings
import weakref
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import Timeout

from gan_lightning.data.images import Images
from gan_lightning.data.io.progress import progress
from gan_lightning.data.io.sources import PictureSource
from gan_lightning.files import cache_folder, file_lock

FORMAT = 1
"""The version of the pixels: increase it when the same files would give others."""
CHUNK = 32
"""The pictures of a line of the journal: each thread that decodes loses up to so many when the process is killed."""
ABANDONED = 7 * 24 * 3600.0
"""The time, in seconds, after which a file that was left unfinished is removed."""
_MAPPED: dict[int, str] = {}
"""What stands for the pixels of each file that this process has mapped, by its address in memory."""


@dataclass(frozen=True)
class Entry:
    """A line of the journal: what became of a chunk.

    Attributes:
        checksum: The CRC-32 of its pixels, which tells every flipped bit.
        skipped: The problem of each picture that is not among the pixels.
        line: The line itself.
    """

    checksum: int
    skipped: dict[str, str]
    line: bytes


class PixelFile:
    """The pixels of a list of pictures, in the cache: `pictures_*.uint8`, and its journal, `pictures_*.jsonl`.

    The pixels of a chunk are written before its line. A line begins with a CRC-32 that continues that of the line
    before. So whatever a kill, a power cut or a bad disk leaves, the lines and pixels up to the first fault are known
    to be right, and nothing needs to reach the disk in a certain order.

    Args:
        source: The pictures.
        shape: (channels, height, width).

    Attributes:
        chunks: The numbers of the pictures of each chunk.
    """

    def __init__(self, source: PictureSource, shape: Sequence[int]) -> None:
        self.path = cache_folder() / f"pictures_{_key(source, shape)}.uint8"
        self.journal = self.path.with_suffix(".jsonl")
        total = len(source.names)
        self.chunks = [range(first, min(first + CHUNK, total)) for first in range(0, total, CHUNK)]
        self.shape = tuple(shape)
        self.picture_size = int(np.prod(shape))
        self.size = total * self.picture_size
        facts = {"root": source.place, "shape": list(shape), "chunks": len(self.chunks)}
        self._head = _line(_body(facts), b"")

    def verified(self) -> list[Entry]:
        """The entries up to the first chunk that is missing or damaged."""
        entries = list(_entries(self.journal, self._head))
        if not entries or not self.path.exists():
            return []
        pixels = np.memmap(self.path, np.uint8, mode="r") if self.path.stat().st_size else np.empty(0, np.uint8)
        ends = self._ends(entries)

        def is_intact(number: int) -> bool:
            return zlib.crc32(pixels[ends[number] : ends[number + 1]].data) == entries[number].checksum

        total = sum(map(len, self.chunks[: len(entries)]))
        with ThreadPoolExecutor() as pool, progress("verifying decoded pictures", total) as shown:
            for number, intact in enumerate(pool.map(is_intact, range(len(entries)))):
                if not intact:
                    return entries[:number]
                shown.update(len(self.chunks[number]))
        return entries

    def go_on(self, done: list[Entry], decoded: Iterable[tuple[bytes, dict[str, str]]]) -> list[Entry]:
        """Writes the chunks that follow `done`, and returns the entries of all of these.

        The file keeps its name and length, since other processes may have mapped it: what is damaged is written over.

        Args:
            done: What `verified` returned.
            decoded: Of each further chunk the pixels of the good pictures, and the problems of the bad ones.
        """
        self.path.touch()
        self.journal.touch()
        entries = list(done)
        with self.path.open("r+b") as pixels, self.journal.open("r+b") as journal:
            known = self._head + b"".join(entry.line for entry in done)
            if journal.read() not in (b"", known):
                print(f"{self.path} is damaged: pictures are decoded again from number {len(done) * CHUNK + 1:,} on")
            journal.truncate(len(known) if done else 0)
            journal.seek(0, os.SEEK_END)
            if not done:
                journal.write(self._head)
            pixels.seek(self._ends(done)[-1])
            for block, skipped in decoded:
                content: dict[str, Any] = {"checksum": zlib.crc32(block), "skipped": skipped}
                line = _line(_body(content), entries[-1].line if entries else self._head)
                for file, written in ((pixels, block), (journal, line)):
                    file.write(written)
                    file.flush()
                entries.append(Entry(**content, line=line))
            pixels.truncate()
            for file in (pixels, journal):
                os.fsync(file.fileno())
        return entries

    def mapped(self, entries: Sequence[Entry]) -> Images:
        """The pictures of the file, all of whose `entries` are known, as a read-only memory map."""
        count = self._ends(entries)[-1] // self.picture_size
        pixels = np.memmap(self.path, np.uint8, mode="r", shape=(count, *self.shape))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the warning that the tensor is not writable
            images = torch.from_numpy(pixels)
        digest = hashlib.blake2b(self.path.name.encode(), digest_size=16)
        for entry in entries:
            digest.update(entry.line)
        _MAPPED[images.data_ptr()] = digest.hexdigest()
        weakref.finalize(pixels, _MAPPED.pop, images.data_ptr())  # before another map can have the address
        return images

    def _ends(self, entries: Sequence[Entry]) -> list[int]:
        """The places in the file where the chunks begin and end."""
        chunks = zip(self.chunks, entries, strict=False)
        sizes = ((len(chunk) - len(entry.skipped)) * self.picture_size for chunk, entry in chunks)
        return list(accumulate(sizes, initial=0))


def fingerprint(images: Images) -> str | None:
    """A text that stands for images that lie in a `PixelFile`, such as a slice of it: their pixels need not be read.

    It depends on the paths, sizes and times of the picture files, on the checksums of the pixels, and on which of them
    `images` has. It is None for images that lie elsewhere, copies among them.
    """
    file = _MAPPED.get(images.untyped_storage().data_ptr())
    view = images.storage_offset(), tuple(images.shape), images.stride()
    return None if file is None else f"{file} {view}"


def _body(content: dict[str, Any]) -> bytes:
    return json.dumps(content).encode() + b"\n"


def _line(body: bytes, before: bytes) -> bytes:
    """A line of the journal, after the line `before`."""
    return b"%08x " % zlib.crc32(body, int(before[:8] or b"0", 16)) + body


def _entries(journal: Path, head: bytes) -> Iterator[Entry]:
    """The entries up to the first line that is damaged."""
    if not journal.exists():
        return
    with journal.open("rb") as file:
        before = file.readline()
        if before != head:
            return
        for line in file:
            body = line[9:]
            if line != _line(body, before):
                return
            yield Entry(**json.loads(body), line=line)
            before = line


def _key(source: PictureSource, shape: Sequence[int]) -> str:
    digest = hashlib.blake2b(repr((FORMAT, source.place, list(shape))).encode(), digest_size=16)
    for stamp in source.stamps():
        digest.update(repr(stamp).encode())
    return digest.hexdigest()


def remove_abandoned(folder: Path) -> None:
    """Removes from the cache what was left unfinished for a week: its folder has changed, or nobody needs it."""
    for journal in folder.glob("pictures_*.jsonl"):
        with contextlib.suppress(FileNotFoundError, Timeout):  # another process removes it, or goes on with it
            if time.time() - journal.stat().st_mtime > ABANDONED and not _is_complete(journal):
                path = journal.with_suffix(".uint8")
                with file_lock(path, timeout=0):
                    path.unlink()
                    journal.unlink()


def _is_complete(journal: Path) -> bool:
    head, *lines = journal.read_bytes().splitlines() or [b""]
    try:
        return len(lines) == json.loads(head[9:])["chunks"]
    except (ValueError, KeyError):
        return False
