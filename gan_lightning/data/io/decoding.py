"""From picture files to pixels: decoded once, in parallel, into a memory-mapped file in the cache."""

from __future__ import annotations

import shutil
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int64
from lightning.pytorch.utilities import rank_zero_only
from PIL import Image
from torch import Tensor
from tqdm.auto import tqdm

from gan_lightning.data.images import Images
from gan_lightning.data.io.messages import count, listing, shown
from gan_lightning.data.io.pictures import read_picture
from gan_lightning.data.io.pixel_file import PixelFile, remove_abandoned
from gan_lightning.errors import UserError
from gan_lightning.files import file_lock

_AHEAD = 64  # the largest number of chunks that wait to be written
_NAMED = 50  # the largest number of bad pictures in a message


def decoded(
    root: str | Path, files: Sequence[str], shape: Sequence[int], skip_bad: bool | None = None
) -> tuple[Images, Int64[Tensor, " count"]]:
    """The pictures `files` of `root` at `shape`, and the index in `files` of each.

    The first call decodes them into the cache, while other processes wait; a later call verifies the file. A call that
    is killed leaves what it has decoded to the next one. The pixels are a read-only memory map, so that they need no
    memory of their own. They are decoded anew if a path, a size, a modification time or `shape` differs.

    Args:
        root: The folder.
        files: Paths relative to it.
        shape: (channels, height, width), with 1 channel (gray) or 3.
        skip_bad: Whether pictures that cannot be decoded are left out; None if `data.skip_bad` is no key of the data.

    Raises:
        UserError: A file cannot be read, pictures cannot be decoded (the message lists them), the disk is full, or
            `shape` is wrong.
    """
    if shape[0] not in (1, 3):
        raise UserError(f"data.image_shape={list(shape)}: pictures have 1 channel (gray) or 3, not {shape[0]}")
    cache = PixelFile(root, files, shape)
    done = cache.verified()
    if len(done) < len(cache.chunks):
        with file_lock(cache.path):
            remove_abandoned(cache.path.parent)
            done = cache.verified()  # another process may have written it meanwhile
            _require_space(cache)
            with closing(_decode(root, cache.chunks, len(done), shape)) as rest:
                done = cache.go_on(done, rest)
    skipped = {file: problem for entry in done for file, problem in entry.skipped.items()}
    _require_decodable(skipped, root, len(files), skip_bad)
    if skipped:
        _print(f"{count(skipped, 'picture')} of {len(files):,} cannot be decoded and are left out: see {cache.journal}")
    kept = [index for index, file in enumerate(files) if file not in skipped]
    return cache.mapped(done), torch.tensor(kept)


@rank_zero_only
def _print(line: str) -> None:
    print(line)


def _require_space(cache: PixelFile) -> None:
    folder = cache.path.parent
    missing = cache.size - (cache.path.stat().st_size if cache.path.exists() else 0)
    free = shutil.disk_usage(folder).free
    if free < missing:
        raise UserError(
            f"{folder} has room for {free / 1e9:.1f} GB, and the decoded pictures take {missing / 1e9:.1f} GB. Make "
            "room, or set GAN_LIGHTNING_CACHE to a folder on a larger disk, or choose a smaller data.image_shape"
        )


def _require_decodable(problems: Mapping[str, str], root: str | Path, total: int, skip_bad: bool | None) -> None:
    """Raises a UserError if there are bad pictures, unless `skip_bad` is set and others are left."""
    if problems and (not skip_bad or len(problems) == total):
        title = f"{Path(root).absolute()} has {count(problems, 'picture')} that cannot be decoded"
        remedy = "replace or remove them" + (", or leave them out with data.skip_bad=true" if skip_bad is False else "")
        lines = [f"{shown(file)}: {problem}" for file, problem in problems.items()]
        raise UserError(listing(f"{title}; {remedy}", sorted(lines), _NAMED))


def _decode(
    root: str | Path, chunks: Sequence[Sequence[str]], done: int, shape: Sequence[int]
) -> Generator[tuple[bytes, dict[str, str]], None, None]:
    """Yields the pixels and the problems of each chunk after the first `done` ones, in order."""

    def read(chunk: Sequence[str]) -> tuple[bytes, dict[str, str]]:
        pictures, problems = [], {}
        for file in chunk:
            try:
                pictures.append(read_picture(Path(root, file), shape).tobytes())
            except UserError:
                raise
            except Exception as error:  # decoders raise many types of errors for broken files
                problems[file] = " ".join(str(error).split()) or type(error).__name__
        return b"".join(pictures), problems

    sizes = [len(chunk) for chunk in chunks]
    title = "decoding pictures"
    bar = tqdm(
        total=sum(sizes), initial=sum(sizes[:done]), desc=title, unit=" pictures", leave=False, disable=None, delay=1
    )
    with warnings.catch_warnings(), ThreadPoolExecutor() as pool, bar:
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with closing(_bounded_map(pool, read, chunks[done:])) as results:
            for size, result in zip(sizes[done:], results, strict=True):
                yield result
                bar.update(size)


def _bounded_map(pool: Executor, work: Callable[[Any], Any], items: Iterable[Any]) -> Generator[Any, None, None]:
    """Yields results in order; limits those that wait, which would fill the memory if the disk is slow."""
    waiting: deque[Future[Any]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()  # after an error or Ctrl-C
