"""From picture files to pixels: decoded once, in parallel, into a memory-mapped file in the cache."""

from __future__ import annotations

import shutil
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any

import torch
from jaxtyping import Int64
from lightning.pytorch.utilities import rank_zero_only
from PIL import Image
from torch import Tensor

from gan_lightning.data.images import Images
from gan_lightning.data.io.headers import look_at_headers
from gan_lightning.data.io.messages import count, listing, problem_of, shown
from gan_lightning.data.io.pictures import read_picture
from gan_lightning.data.io.pixel_file import Entry, PixelFile, remove_abandoned
from gan_lightning.data.io.progress import progress
from gan_lightning.data.io.sources import PictureSource
from gan_lightning.errors import UserError
from gan_lightning.files import file_lock

_AHEAD = 64  # the largest number of chunks that wait to be written
_NAMED = 50  # the largest number of bad pictures in a message
_ENOUGH = 8  # so many bad pictures end the decoding, which may take hours, unless they are left out


def decoded(
    source: PictureSource, shape: Sequence[int], skip_bad: bool | None = None
) -> tuple[Images, Int64[Tensor, " count"]]:
    """The pictures of `source` at `shape`, and the number in `source` of each.

    The first call decodes them into the cache, while other processes wait; a later call verifies the file. Before that
    it looks at the headers of all, so that most bad pictures are told at once. A call that is killed leaves what it has
    decoded to the next one. The pixels are a read-only memory map, so that they need no memory of their own. They are
    decoded anew if a stamp of `source` or `shape` differs.

    Args:
        source: The pictures.
        shape: (channels, height, width), with 1 channel (gray) or 3.
        skip_bad: Whether pictures that cannot be decoded are left out; None if `data.skip_bad` is no key of the data.

    Raises:
        UserError: A file cannot be read, pictures cannot be decoded (the message lists them), the disk is full, or
            `shape` is wrong.
    """
    if shape[0] not in (1, 3):
        raise UserError(f"data.image_shape={list(shape)}: pictures have 1 channel (gray) or 3, not {shape[0]}")
    cache = PixelFile(source, shape)
    done = cache.verified()
    if len(done) < len(cache.chunks):
        with file_lock(cache.path), warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            remove_abandoned(cache.path.parent)
            done = cache.verified()  # another process may have written it meanwhile
            _require_space(cache)
            if not done:
                problems = look_at_headers(source, cache.chunks, shape)
                _require_decodable(problems, source, skip_bad, len(source.names))
            with closing(_decode(source, cache.chunks, done, shape, bool(skip_bad))) as rest:
                done = cache.go_on(done, rest)
    skipped = {name: problem for entry in done for name, problem in entry.skipped.items()}
    _require_decodable(skipped, source, skip_bad, sum(map(len, cache.chunks[: len(done)])))
    if skipped:
        total = len(source.names)
        _print(f"{count(skipped, 'picture')} of {total:,} cannot be decoded and are left out: see {cache.journal}")
    kept = [number for number, name in enumerate(source.names) if name not in skipped]
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


def _require_decodable(problems: Mapping[str, str], source: PictureSource, skip_bad: bool | None, seen: int) -> None:
    """Raises a UserError if there are bad pictures among the first `seen`, unless they are left out and others stay."""
    total = len(source.names)
    if problems and (not skip_bad or len(problems) == total):
        part = f" among the first {seen:,} of {total:,}" if seen < total else ""
        title = f"{source.place} has {count(problems, 'picture')} that cannot be decoded{part}"
        remedy = "replace or remove them" + (", or leave them out with data.skip_bad=true" if skip_bad is False else "")
        lines = [f"{shown(name)}: {problem}" for name, problem in problems.items()]
        raise UserError(listing(f"{title}; {remedy}", sorted(lines), _NAMED))


def _decode(
    source: PictureSource, chunks: Sequence[range], done: Sequence[Entry], shape: Sequence[int], skip_bad: bool
) -> Generator[tuple[bytes, dict[str, str]], None, None]:
    """Yields the pixels and the problems of each chunk after those that are done, in order.

    Unless bad pictures are skipped, it tells each when it is found, and ends after some.
    """

    def read(chunk: range) -> tuple[bytes, dict[str, str]]:
        pictures, problems = [], {}
        for number in chunk:
            try:
                pictures.append(read_picture(source.file(number), shape).tobytes())
            except UserError:
                raise
            except Exception as error:  # decoders raise many types of errors for broken files
                problems[source.names[number]] = problem_of(error)
        return b"".join(pictures), problems

    bad = sum(len(entry.skipped) for entry in done)
    rest = chunks[len(done) :] if skip_bad or bad < _ENOUGH else []
    bar = progress("decoding pictures", len(source.names), sum(map(len, chunks[: len(done)])))
    with ThreadPoolExecutor() as pool, bar, closing(_bounded_map(pool, read, rest)) as results:
        for chunk, (pixels, problems) in zip(rest, results, strict=True):
            yield pixels, problems
            bar.update(len(chunk))
            if not skip_bad:
                bad += len(problems)
                for name, problem in problems.items():
                    bar.write(f"{shown(name)} cannot be decoded: {problem}")
                if bad >= _ENOUGH:
                    return


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
