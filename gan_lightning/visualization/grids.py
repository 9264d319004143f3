"""Sample grids and plots as RGB tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torchvision.transforms.functional import to_tensor
from torchvision.utils import make_grid

Picture = Float[Tensor, "3 rows columns"]
"""RGB in [0, 1]."""
DISPLAYED = 512
"""The height and width in pixels from which a picture needs no enlargement."""


def picture(samples: Float[Tensor, "batch *sample"]) -> Picture:
    """A picture of samples: a grid of images, a histogram of numbers, or a scatter plot of points."""
    if samples.ndim == 4:
        return grid(samples)
    points = samples.detach().cpu().numpy()
    if points.shape[1] == 1:
        return plot(lambda axes: axes.hist(points[:, 0], bins=100, density=True))
    return plot(lambda axes: axes.scatter(points[:, 0], points[:, 1], s=2))


def grid(
    images: Float[Tensor, "count channels height width"],
    columns: int | None = None,
    captions: Sequence[str] = (),
) -> Picture:
    """A grid of images in [-1, 1] for display: small ones are enlarged.

    Args:
        images: The images.
        columns: The number of columns; None: about square.
        captions: A text for each image: beside a row whose images have it in common, if that is so in every row, else
            below each image.
    """
    columns = columns or math.ceil(math.sqrt(len(images)))
    rows = [captions[first : first + columns] for first in range(0, len(captions), columns)]
    in_rows = all(len(set(row)) == 1 for row in rows)
    height, width = images.shape[2:]
    factor = _enlargement(height * math.ceil(len(images) / columns), width * columns)
    pictures = enlarged(images.detach().cpu(), factor)
    if captions and not in_rows:
        below = torch.stack([_strip(text, width * factor) for text in captions])
        pictures = torch.cat([pictures, below.to(pictures).expand(-1, pictures.shape[1], -1, -1) * 2 - 1], 2)
    pictures = make_grid(pictures, nrow=columns, padding=2 * factor, normalize=True, value_range=(-1, 1))
    return (
        torch.cat([_margin([row[0] for row in rows], pictures.shape[1]), pictures], 2) if in_rows and rows else pictures
    )


def enlarged(
    images: Float[Tensor, "*count channels height width"], factor: int
) -> Float[Tensor, "*count channels tall wide"]:
    """Makes `factor` x `factor` equal pixels of each one."""
    return images.repeat_interleave(factor, -2).repeat_interleave(factor, -1)


def _enlargement(height: int, width: int) -> int:
    """The smallest factor that makes a picture of this size as large as one of `DISPLAYED` x `DISPLAYED` pixels."""
    return max(1, math.ceil(DISPLAYED / math.sqrt(height * width)))


def _margin(captions: Sequence[str], height: int) -> Picture:
    """The captions of the rows, on a white margin."""
    font = ImageFont.load_default(size=max(8, min(18, height // len(captions) - 2)))
    width = math.ceil(max(font.getlength(caption) for caption in captions)) + 12
    margin = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(margin)
    for row, caption in enumerate(captions):
        draw.text((width - 6, height * (row + 0.5) / len(captions)), caption, "black", font, anchor="rm")
    return to_tensor(margin)


def _strip(caption: str, width: int) -> Float[Tensor, "1 rows {width}"]:
    """A caption on a white strip, in smaller letters if it is long, and cut off at last."""
    sizes = (ImageFont.load_default(size=size) for size in range(14, 7, -1))
    font = next((font for font in sizes if font.getlength(caption) <= width), ImageFont.load_default(size=8))
    strip = Image.new("L", (width, 18), "white")
    ImageDraw.Draw(strip).text((max(width / 2, font.getlength(caption) / 2), 9), caption, "black", font, anchor="mm")
    return to_tensor(strip)


def plot(draw: Callable[[Axes], object]) -> Picture:
    """The picture of a new figure of 800 x 500 pixels, whose axes `draw` fills."""
    figure = Figure(figsize=(8, 5), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    draw(figure.add_subplot())
    canvas.draw()
    return to_tensor(Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba()).convert("RGB"))
