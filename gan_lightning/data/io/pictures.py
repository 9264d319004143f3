"""From one picture file to pixels."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from gan_lightning.data.io.messages import shown
from gan_lightning.errors import UserError

Pixels = UInt8[np.ndarray, "channels height width"]

FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""The formats of `folders.PICTURES`. Pillow knows others, whatever a file is called, and starts a program for one."""


def read_picture(file: Path | BytesIO, shape: Sequence[int]) -> Pixels:
    """Reads a picture: upright, on white if it is transparent, its middle resized to (channels, height, width).

    Of an animation it reads the first frame.

    Raises:
        UserError: The file cannot be read, whatever it contains.
        Exception: Of any other type, if it is broken or no regular file. A picture that exceeds Pillow's size limit is
            refused where `DecompressionBombWarning` is an error.
    """
    with _opened(file) as picture:
        return _pixels(picture, shape)


def picture_size(file: Path | BytesIO) -> tuple[int, int]:
    """The height and width of a picture, before it is turned upright, from its header alone; errors as above."""
    with _opened(file) as picture:
        return picture.height, picture.width


@contextlib.contextmanager
def _opened(file: Path | BytesIO) -> Iterator[Image.Image]:
    try:
        # A pipe or a terminal would be waited for.
        if isinstance(file, Path) and not stat.S_ISREG(os.stat(file).st_mode):
            raise ValueError("it is no regular file")
        with Image.open(file, formats=FORMATS) as picture:
            yield picture
    except OSError as error:
        if error.errno in (None, errno.EINVAL):  # of Pillow, or of a place in the file that its header invents
            raise
        raise UserError(f"{shown(str(file))} cannot be read ({error.strerror}): expected a readable file") from error


def _pixels(picture: Image.Image, shape: Sequence[int]) -> Pixels:
    channels, height, width = shape
    ImageOps.exif_transpose(picture, in_place=True)
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
