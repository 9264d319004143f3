"""Sheets of captioned pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

CAPTION = 24
"""Pixels above each picture."""


def sheet(pictures: Mapping[str, Path], columns: int, size: tuple[int, int]) -> Image.Image:
    """Pictures side by side, each as large as fits into `size`, with its caption above."""
    font = ImageFont.load_default(size=16)
    width, height = size[0] + 8, size[1] + CAPTION
    whole = Image.new("RGB", (columns * width, math.ceil(len(pictures) / columns) * height), "white")
    for index, (caption, path) in enumerate(pictures.items()):
        left, top = index % columns * width, index // columns * height
        ImageDraw.Draw(whole).text((left + 4, top + 2), caption, fill="black", font=font)
        with Image.open(path) as picture:
            whole.paste(ImageOps.contain(picture.convert("RGB"), size), (left + 4, top + CAPTION))
    return whole
