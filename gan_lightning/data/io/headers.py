"""A look at the headers of all pictures before they are decoded, which may take hours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from gan_lightning.data.io.messages import problem_of
from gan_lightning.data.io.pictures import picture_size
from gan_lightning.data.io.progress import progress
from gan_lightning.data.io.sources import PictureSource
from gan_lightning.errors import UserError

_Sizes = Counter[tuple[int, int]]


def look_at_headers(source: PictureSource, chunks: Sequence[range], shape: Sequence[int]) -> dict[str, str]:
    """The problem of each file that is no picture, or one that exceeds Pillow's size limit.

    It prints a line if pictures are smaller than `shape`. A header does not tell that the rest of its file is broken.

    Args:
        source: The pictures.
        chunks: Their numbers, in parts for the threads.
        shape: (channels, height, width).

    Raises:
        UserError: A file cannot be read.
    """

    def look(chunk: range) -> tuple[_Sizes, dict[str, str]]:
        sizes: _Sizes = Counter()
        problems = {}
        for number in chunk:
            try:
                sizes[picture_size(source.file(number))] += 1
            except UserError:
                raise
            except Exception as error:  # decoders raise many types of errors for broken files
                problems[source.names[number]] = problem_of(error)
        return sizes, problems

    sizes: _Sizes = Counter()
    problems: dict[str, str] = {}
    with ThreadPoolExecutor() as pool, progress("looking at pictures", len(source.names)) as shown:
        for chunk, (found, bad) in zip(chunks, pool.map(look, chunks), strict=True):
            sizes += found
            problems |= bad
            shown.update(len(chunk))
    line = _enlarged(sizes, shape)
    if line:
        print(f"{source.place}: {line}")
    return problems


def _enlarged(sizes: _Sizes, shape: Sequence[int]) -> str:
    """A line on the pictures that are smaller than `shape`; "" if there are none."""
    channels, height, width = shape
    small = Counter({size: count for size, count in sizes.items() if size[0] < height or size[1] < width})
    if not small:
        return ""
    line = f"{small.total():,} of {sizes.total():,} pictures are smaller than {height}x{width} and are enlarged"
    ((kept, frequency),) = small.most_common(1)
    if 2 * frequency <= sizes.total():
        return line
    whose = "their size" if frequency == small.total() else "the size of most"
    return f"{line}; data.image_shape=[{channels},{kept[0]},{kept[1]}] keeps {whose}"
