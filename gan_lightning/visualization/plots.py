"""Plots as PNG files, whose texts and numbers may come from others."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gan_lightning.terminal import printable

FEW = 10
"""The largest number of points of a curve at which each point has a marker."""
DENSEST = 1000
"""The largest number of points of a curve, which has about 500 pixels."""
LONGEST = 40
"""The largest number of characters of a text in a plot."""
LARGEST = 1e100
"""The largest number that is drawn: matplotlib computes with multiples of it."""
Draw = Callable[[Axes], object]


def png(draws: Sequence[Draw], legend: bool = False) -> bytes:
    """A PNG of plots side by side, in which every text stands as it is, without TeX and mathematical formulas.

    Args:
        draws: A function for each plot.
        legend: Whether a legend below all plots names the curves of the first one, which the others have, too.
    """
    with matplotlib.rc_context({"text.parse_math": False, "text.usetex": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # it is shown as a box
        warnings.filterwarnings("ignore", "constrained_layout not applied")  # long texts leave no place for the axes
        figure = Figure(figsize=(5.2 * len(draws), 3.8), dpi=110, layout="constrained")
        for axes, draw in zip(np.atleast_1d(figure.subplots(1, len(draws))), draws, strict=True):
            draw(axes)
        if legend:
            handles, labels = figure.axes[0].get_legend_handles_labels()
            figure.set_figheight(figure.get_figheight() + 0.22 * len(labels))
            figure.legend(handles, labels, fontsize=10, loc="outside lower left")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
    return buffer.getvalue()


def curve(axes: Axes, points: Float64[np.ndarray, "points 2"], **style: Any) -> None:
    """Draws the finite values of a curve over batches, `DENSEST` points of it at most; each has a marker if few."""
    points = points[np.abs(points[:, 1]) <= LARGEST]
    points = points[np.linspace(0, max(len(points) - 1, 0), min(len(points), DENSEST)).astype(int)]
    axes.plot(points[:, 0], points[:, 1], lw=1, marker="." if len(points) <= FEW else None, **style)


def together(title: str, curves: Mapping[str, Float64[np.ndarray, "points 2"]]) -> Draw:
    """A plot of several curves on one scale, by their labels."""

    def draw(axes: Axes) -> None:
        for label, points in curves.items():
            curve(axes, points, label=text(label))
        axes.set(xlabel="batch", title=text(title))
        axes.grid(alpha=0.3)
        if len(curves) > 1:
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=len(curves), frameon=False)

    return draw


def widen(limits: np.ndarray, scale: Callable[[str], object]) -> None:
    """Makes an axis logarithmic if its data span more than a factor of 30."""
    if 0 < 30 * limits[0] < limits[1]:
        scale("log")


def text(content: str) -> str:
    """The text as it is shown in a plot: on one line, and cut off after `LONGEST` characters."""
    return printable(content if len(content) <= LONGEST else f"{content[: LONGEST - 1]}…")
