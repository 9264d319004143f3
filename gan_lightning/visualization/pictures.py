"""Reading the sample grids of a run folder, which may come from others."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from gan_lightning.errors import UserError
from gan_lightning.files import own_file


def read_picture(path: Path, run: Path) -> Image.Image:
    """Decodes a PNG picture; its `info` has the texts of its header.

    Args:
        path: The picture.
        run: The run folder, in which it must lie.

    Raises:
        UserError: It is a link to another place, no file, no PNG, damaged, or larger than Pillow's limit.
    """
    with _opened(path, run) as opened:
        info = dict(opened.info)
        picture = opened.convert("RGB")
    picture.info = info
    return picture


def size_of(path: Path, run: Path) -> tuple[int, int]:
    """The width and height of a PNG picture, of which only the header is read; the rest is as of `read_picture`."""
    with _opened(path, run) as opened:
        return opened.size


@contextlib.contextmanager
def _opened(path: Path, run: Path) -> Iterator[Image.Image]:
    own_file(path, run)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(path, formats=["PNG"]) as opened:
                yield opened
        except Exception as error:  # decoders raise many types of errors for broken files
            raise UserError(
                f"{path} is no PNG picture that can be shown: {str(error) or type(error).__name__}"
            ) from error
