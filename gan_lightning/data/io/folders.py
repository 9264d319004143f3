"""Folder trees of pictures: their paths and classes. It imports only the standard library."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from gan_lightning.data.io.tags import SUFFIXES
from gan_lightning.errors import NoSuchSplit, UserError

PICTURES = (*SUFFIXES, ".gif", ".pgm", ".ppm", ".tif", ".tiff")
SPLITS = ("train", "test")


def has_splits(root: str) -> bool:
    """Whether both train/ and test/ exist in `root`; then other folders are ignored."""
    return all(Path(root, split).is_dir() for split in SPLITS)


def class_names(root: str) -> list[str]:
    """The top-level folders with pictures, sorted; if there are splits, those of both.

    Raises:
        UserError: There is no such folder.
    """
    if not Path(root).is_dir():
        raise UserError(f"{Path(root).absolute()}: there is no such folder. Set data.root to a folder of pictures")
    tops = [Path(root, split) for split in SPLITS] if has_splits(root) else [Path(root)]
    folders = [entry for top in tops for entry in os.scandir(top) if entry.is_dir() and not _hidden(entry.name)]
    return sorted({folder.name for folder in folders if any(_walk(folder.path))})


def list_pictures(folder: str | Path) -> list[str]:
    """The sorted relative paths of all pictures in a folder and below it, without hidden ones.

    Raises:
        UserError: There are none.
    """
    found = sorted(_walk(str(folder)))
    if not found:
        raise UserError(
            f"{Path(folder).absolute()} has no pictures: expected files that end in {', '.join(PICTURES)}. Set "
            "data.root to a folder that has some, there or below"
        )
    return found


def none_aside(root: str, test_fraction: float) -> NoSuchSplit:
    """The error of a folder of pictures that has no test split."""
    return NoSuchSplit(
        f"data.test_fraction={test_fraction}: no picture of {root} is put aside for evaluation. Train with "
        "data.test_fraction=0.1, or compare with the training pictures (split train)"
    )


def _walk(folder: str) -> Iterator[str]:
    for place, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not _hidden(name)]
        way = "" if place == folder else Path(os.path.relpath(place, folder)).as_posix() + "/"
        yield from (way + name for name in files if name.lower().endswith(PICTURES) and not _hidden(name))


def _hidden(name: str) -> bool:
    return name.startswith(".")  # notebooks and file managers leave such files
