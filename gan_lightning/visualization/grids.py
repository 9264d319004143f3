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
    """A grid of images in [-1, 1], with `columns` columns (None: about square) and a caption beside each row."""
    columns = columns or math.ceil(math.sqrt(len(images)))
    pictures = make_grid(images.detach().cpu(), nrow=columns, normalize=True, value_range=(-1, 1))
    return torch.cat([_margin(captions, pictures.shape[1]), pictures], 2) if captions else pictures


def _margin(captions: Sequence[str], height: int) -> Picture:
    """The captions of the rows, on a white margin."""
    font = ImageFont.load_default(size=max(8, min(14, height // len(captions) - 2)))
    width = math.ceil(max(font.getlength(caption) for caption in captions)) + 12
    margin = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(margin)
    for row, caption in enumerate(captions):
        draw.text((width - 6, height * (row + 0.5) / len(captions)), caption, "black", font, anchor="rm")
    return to_tensor(margin)


def plot(draw: Callable[[Axes], object]) -> Picture:
    """The picture of a new figure of 800 x 500 pixels, whose axes `draw` fills."""
    figure = Figure(figsize=(8, 5), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    draw(figure.add_subplot())
    canvas.draw()
    return to_tensor(Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba()).convert("RGB"))
