"""Folder trees of pictures: their paths and classes. It imports only the standard library."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from gan_lightning.data.io.messages import shown
from gan_lightning.errors import NoSuchSplit, UserError

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".bmp", ".gif", ".pgm", ".ppm", ".tif", ".tiff")
SPLITS = ("train", "test")


def has_splits(root: str) -> bool:
    """Whether both train/ and test/ exist in `root`; then other folders are ignored."""
    return all(os.path.isdir(os.path.join(root, split)) for split in SPLITS)


def class_names(root: str) -> list[str]:
    """The top-level folders with pictures, sorted; if there are splits, those of both.

    Raises:
        UserError: There is no such folder.
    """
    if not os.path.isdir(root):
        raise UserError(f"{Path(root).absolute()}: there is no such folder. Set data.root to a folder of pictures")
    tops = [Path(root, split) for split in SPLITS] if has_splits(root) else [Path(root)]
    folders = [entry for top in tops for entry in _entries(str(top)) if _is_folder(entry)]
    return sorted({folder.name for folder in folders if any(_walk(folder.path, PICTURES))})


def list_pictures(folder: str | Path, suffixes: tuple[str, ...] = PICTURES) -> list[str]:
    """The sorted relative paths of all pictures in a folder and below it, without hidden ones.

    Links are followed, but no folder is read twice: a loop would multiply its pictures.

    Args:
        folder: The folder.
        suffixes: The ends of the names of pictures, in lower case.

    Raises:
        UserError: There are none, a folder cannot be read, or links lead nowhere or to a folder that is read already.
    """
    found = sorted(_walk(str(folder), suffixes))
    if not found:
        raise UserError(
            f"{Path(folder).absolute()} has no pictures: expected files that end in {', '.join(suffixes)}. Set "
            "data.root to a folder that has some, there or below"
        )
    return found


def none_aside(root: str, test_fraction: float) -> NoSuchSplit:
    """The error of a folder of pictures that has no test split."""
    return NoSuchSplit(
        f"data.test_fraction={test_fraction}: no picture of {root} is put aside for evaluation. Train with "
        "data.test_fraction=0.1, or compare with the training pictures (split train)"
    )


def _walk(top: str, suffixes: tuple[str, ...]) -> Iterator[str]:
    root = os.path.realpath(top)
    read = {root: top}  # the path by which each folder was found
    waiting = [(top, "", root)]
    while waiting:
        folder, way, real = waiting.pop()
        for entry in _entries(folder):
            if _is_folder(entry):
                place = os.path.realpath(entry.path) if entry.is_symlink() else os.path.join(real, entry.name)
                if place in read or root.startswith(os.path.join(place, "")):
                    twin = read.get(place, f"a folder around {top}")
                    raise UserError(
                        f"{shown(entry.path)} is a link to {shown(twin)}, or the other way round, so that pictures "
                        "would count several times: remove the link"
                    )
                read[place] = entry.path
                waiting.append((entry.path, f"{way}{entry.name}/", place))
            elif entry.name.lower().endswith(suffixes):
                yield way + entry.name


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """What is in a folder, sorted by name, without hidden files, which notebooks and file managers leave."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(
            f"{shown(folder)} cannot be read ({error.strerror}), so that its pictures would be missing: make it "
            "readable, or move it out of data.root"
        ) from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        if entry.is_symlink():
            os.stat(entry.path)
        return entry.is_dir()
    except OSError as error:
        raise UserError(
            f"{shown(entry.path)} is a link that cannot be followed ({error.strerror}), so that pictures may be "
            "missing: correct or remove it"
        ) from error
