"""From picture files to pixels: decoded once, in parallel, into a memory-mapped file."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from lightning.pytorch.utilities import rank_zero_only
from PIL import Image, ImageOps
from torch import Tensor
from tqdm.auto import tqdm

from gan_lightning.data.images import Images
from gan_lightning.data.io.tags import count, listing
from gan_lightning.errors import UserError
from gan_lightning.files import atomic, cache_folder, file_lock

Pixels = UInt8[np.ndarray, "channels height width"]

FORMAT = 1
"""The version of the cache: increase it when the same files would give other pixels."""
CHUNK = 64
"""Pictures that a thread decodes at a time."""
_AHEAD = 64  # the largest number of chunks that wait to be written
_NAMED = 50  # the largest number of bad pictures in a message


def read_picture(path: Path, shape: Sequence[int]) -> Pixels:
    """Reads a picture: upright, on white if it is transparent, its middle resized to (channels, height, width).

    Raises:
        Exception: Of any type, if the file is broken or exceeds Pillow's size limit.
    """
    channels, height, width = shape
    with Image.open(path) as opened:
        ImageOps.exif_transpose(opened, in_place=True)
        picture: Image.Image = opened
        if picture.mode[0] in "IF":
            picture = _eight_bits(picture)
        if picture.has_transparency_data:
            picture = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        picture = picture.convert("L" if channels == 1 else "RGB")
        fitted = np.asarray(ImageOps.fit(picture, (width, height), Image.Resampling.BICUBIC))
    return fitted[np.newaxis] if channels == 1 else fitted.transpose(2, 0, 1)


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Converts 16-bit gray to 8 bits, since Pillow would clip most of it to white."""
    values = np.asarray(picture)
    if picture.mode == "F" or values.min() < 0 or values.max() > 65535:
        raise ValueError(f"pixels of mode {picture.mode}: expected 8 or 16 bits")
    return Image.fromarray((values / 257).round().astype(np.uint8))


def decoded(
    root: str | Path, files: Sequence[str], shape: Sequence[int], skip_bad: bool = False
) -> tuple[Images, Int64[Tensor, " count"]]:
    """The pictures `files` of `root` at `shape`, and the index in `files` of each.

    The first call decodes them into the cache, while other processes wait. The pixels are a read-only memory map of
    that file, so that they need no memory of their own. The file is written again if a path, a size, a modification
    time or `shape` differs.

    Args:
        root: The folder.
        files: Paths relative to it.
        shape: (channels, height, width), with 1 channel (gray) or 3.
        skip_bad: Whether pictures that cannot be decoded are left out.

    Raises:
        UserError: Pictures cannot be decoded (the message lists them), the disk is full, or `shape` is wrong.
    """
    if shape[0] not in (1, 3):
        raise UserError(f"data.image_shape={list(shape)}: pictures have 1 channel (gray) or 3, not {shape[0]}")
    path = cache_folder() / f"pictures_{_key(root, files, shape)}.uint8"
    record = path.with_suffix(".json")
    with file_lock(path):
        if not (path.exists() and record.exists()):
            _require_space(path.parent, len(files) * int(np.prod(shape)))
            with atomic(path) as partial:
                with partial.open("wb") as file:
                    problems = _decode(root, files, shape, file)
                _require_decodable(problems, root, len(files), skip_bad)
            with atomic(record) as partial:
                partial.write_text(json.dumps({"root": str(root), "shape": list(shape), "skipped": problems}, indent=1))
    skipped = json.loads(record.read_text())["skipped"]
    _require_decodable(skipped, root, len(files), skip_bad)
    if skipped:
        _print(f"{count(skipped, 'picture')} of {len(files):,} cannot be decoded and are left out: see {record}")
    kept = [index for index, file in enumerate(files) if file not in skipped]
    return _mapped(path, (len(kept), *shape)), torch.tensor(kept)


@rank_zero_only
def _print(line: str) -> None:
    print(line)


def _key(root: str | Path, files: Sequence[str], shape: Sequence[int]) -> str:
    digest = hashlib.blake2b(repr((FORMAT, str(Path(root).resolve()), list(shape))).encode(), digest_size=16)
    for file in files:
        try:
            found = os.stat(os.path.join(root, file))
            digest.update(repr((file, found.st_size, found.st_mtime_ns)).encode())
        except OSError:  # decoding reports it
            digest.update(repr((file,)).encode())
    return digest.hexdigest()


def _require_space(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size:
        raise UserError(
            f"{folder} has room for {free / 1e9:.1f} GB, and the decoded pictures take {size / 1e9:.1f} GB. Make room, "
            "or set GAN_LIGHTNING_CACHE to a folder on a larger disk, or choose a smaller data.image_shape"
        )


def _require_decodable(problems: Mapping[str, str], root: str | Path, total: int, skip_bad: bool) -> None:
    """Raises a UserError if there are bad pictures, unless `skip_bad` is set and others are left."""
    if problems and (not skip_bad or len(problems) == total):
        title = f"{Path(root).absolute()} has {count(problems, 'picture')} that cannot be decoded"
        remedy = "replace or remove them" + ("" if skip_bad else ", or leave them out with data.skip_bad=true")
        lines = [f"{file}: {problem}" for file, problem in problems.items()]
        raise UserError(listing(f"{title}; {remedy}", sorted(lines), _NAMED))


def _decode(root: str | Path, files: Sequence[str], shape: Sequence[int], out: BinaryIO) -> dict[str, str]:
    """Writes the pixels of all good files in order; returns the problem of each bad one."""
    problems: dict[str, str] = {}

    def read(chunk: Sequence[str]) -> list[Pixels]:
        pictures = []
        for file in chunk:
            try:
                pictures.append(read_picture(Path(root, file), shape))
            except Exception as error:  # decoders raise many types of errors for broken files
                problems[file] = str(error) or type(error).__name__
        return pictures

    chunks = [files[first : first + CHUNK] for first in range(0, len(files), CHUNK)]
    bar = tqdm(total=len(files), desc="decoding pictures", unit=" pictures", leave=False, disable=None, delay=1)
    with warnings.catch_warnings(), ThreadPoolExecutor() as pool, bar:
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for chunk, pictures in zip(chunks, _bounded_map(pool, read, chunks), strict=True):
            for picture in pictures:
                out.write(picture.tobytes())
            bar.update(len(chunk))
    return problems


def _bounded_map(pool: Executor, work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """Yields results in order; limits those that wait, which would fill the memory if the disk is slow."""
    waiting: deque[Future[Any]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > _AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _mapped(path: Path, shape: tuple[int, ...]) -> Images:
    pixels = np.memmap(path, np.uint8, mode="r", shape=shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the warning that the tensor is not writable
        return torch.from_numpy(pixels)
