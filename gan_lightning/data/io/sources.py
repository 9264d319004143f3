"""Where encoded pictures come from: a list of them, in a fixed order."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any


class PictureSource:
    """Encoded pictures, which are numbered from 0 on."""

    @property
    def place(self) -> str:
        """What messages call it."""
        raise NotImplementedError

    @property
    def names(self) -> Sequence[str]:
        """The name of each picture, for messages; no two have the same."""
        raise NotImplementedError

    def file(self, number: int) -> Path | BytesIO:
        """A picture, as it is encoded; raises any exception if there is none."""
        raise NotImplementedError

    def stamps(self) -> Iterator[Any]:
        """What the pixels depend on besides the place, such as times of modification: it goes into the cache's key."""
        raise NotImplementedError

    def reordered(self, order: Sequence[int]) -> PictureSource:
        """The pictures of these numbers, in this order."""
        raise NotImplementedError


@dataclass(frozen=True)
class FolderPictures(PictureSource):
    """Pictures in a folder.

    Attributes:
        root: The folder.
        files: Paths relative to it.
    """

    root: str | Path
    files: Sequence[str]

    @property
    def place(self) -> str:
        return str(Path(self.root).resolve())

    @property
    def names(self) -> Sequence[str]:
        return self.files

    def file(self, number: int) -> Path:
        return Path(self.root, self.files[number])

    def stamps(self) -> Iterator[tuple[object, ...]]:
        for name in self.files:
            yield name, *file_stamp(os.path.join(self.root, name))

    def reordered(self, order: Sequence[int]) -> FolderPictures:
        return replace(self, files=[self.files[number] for number in order])


def file_stamp(path: str) -> tuple[int, ...]:
    """The size and the time of modification (ns) of a file; () if there is none, which decoding reports."""
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return found.st_size, found.st_mtime_ns
