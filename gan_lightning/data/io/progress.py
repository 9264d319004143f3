"""The progress of work on many pictures."""

from __future__ import annotations

import sys

from tqdm.auto import tqdm as bar
from tqdm.std import tqdm

SECONDS = 15.0
"""The time between two lines where there is no terminal, as between two of training."""


def progress(title: str, total: int, initial: int = 0) -> tqdm:
    """A bar on a terminal; elsewhere, as in the log of a job, a line every `SECONDS`.

    Work that ends soon shows none of them.

    Args:
        title: What is done.
        total: The number of pictures.
        initial: How many of them are done already.
    """
    if sys.stderr.isatty():
        return bar(total=total, initial=initial, desc=title, unit=" pictures", leave=False, delay=1)
    return _Lines(
        total=total,
        initial=initial,
        desc=title,
        leave=False,
        delay=SECONDS,
        mininterval=SECONDS,
        miniters=1,  # the time alone decides
        bar_format="{desc}: {n:,} of {total:,}, {remaining} left",
    )


class _Lines(tqdm):
    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        if msg is None:  # an empty one clears a bar
            print(self, file=self.fp, flush=True)
