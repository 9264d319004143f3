"""The plots of a page of results."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gan_lightning.sweeps.collect import display_text, is_better_high, rounded
from gan_lightning.sweeps.table import Group, short
from gan_lightning.terminal import printable

FEW = 10
"""The largest number of points of a curve at which each point has a marker."""
MOST = 12
"""The largest number of values of a key that is an axis of a heat map."""
DENSEST = 1000
"""The largest number of points of a curve, which has about 500 pixels."""
LONGEST = 40
"""The largest number of characters of a text in a plot."""
LARGEST = 1e100
"""The largest number that is drawn: matplotlib computes with multiples of it."""
Draw = Callable[[Axes], object]


def landscape(groups: Sequence[Group], objective: str | None) -> bytes | None:
    """A PNG of a heat map over two keys with few values each, else a scatter plot of the objective for each numeric
    key; None if there is nothing to show.
    """
    keys = sorted(groups[0].values, key=lambda key: not key.endswith(("lr", "betas")))
    values = {key: list(dict.fromkeys(group.values[key] for group in groups)) for key in keys}
    done = [group for group in groups if group.mean is not None]
    if objective is None or not done:
        return None
    if len(keys) >= 2 and all(len(values[key]) <= MOST for key in keys[:2]):
        return _picture([lambda axes: _heat_map(axes, done, keys[0], keys[1], objective)])
    numbers = {key: [_number(group.values[key]) for group in done] for key in keys}
    plots = {key: [v for v in found if v is not None] for key, found in numbers.items() if None not in found}
    if not plots:
        return None
    means = [group.mean for group in done]
    return _picture([_scatter(key, plots[key], means, objective) for key in plots])


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) <= LARGEST else None


def _scatter(key: str, values: Sequence[float], means: Sequence[float | None], objective: str | None) -> Draw:
    def draw(axes: Axes) -> None:
        axes.scatter(values, means)  # type: ignore[arg-type]
        _widen(axes.dataLim.intervalx, axes.set_xscale)
        _widen(axes.dataLim.intervaly, axes.set_yscale)
        axes.set(xlabel=_text(key), ylabel=_text(objective or ""))

    return draw


def _widen(limits: np.ndarray, scale: Callable[[str], object]) -> None:
    """Makes an axis logarithmic if its data span more than a factor of 30."""
    if 0 < 30 * limits[0] < limits[1]:
        scale("log")


def _heat_map(axes: Axes, groups: Sequence[Group], across: str, down: str, objective: str | None) -> None:
    """The means of the groups; a cell with several groups has the mean of their means."""
    columns, rows = (sorted({group.values[key] for group in groups}, key=_order) for key in (across, down))
    grid = np.full((len(rows), len(columns)), np.nan)
    for r, c in np.ndindex(*grid.shape):
        found = [g.mean for g in groups if (g.values[down], g.values[across]) == (rows[r], columns[c])]
        if found:
            grid[r, c] = np.mean([mean for mean in found if mean is not None])
            axes.text(
                c, r, rounded(float(grid[r, c])), ha="center", va="center", bbox={"facecolor": "white", "alpha": 0.7}
            )
    bright_high = objective is not None and is_better_high(objective)  # better is brighter
    picture = axes.imshow(grid, cmap="viridis" if bright_high else "viridis_r", aspect="auto")
    axes.figure.colorbar(picture, label=_text(objective or ""))
    axes.set_xticks(range(len(columns)), [_text(display_text(value)) for value in columns])
    axes.set_yticks(range(len(rows)), [_text(display_text(value)) for value in rows])
    xlabel, ylabel = map(_text, short([across, down]))
    title = "means over the other keys" if len(groups[0].values) > 2 else ""
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)


def _order(text: str) -> tuple[float, str]:
    number = _number(text)
    return (float("inf") if number is None else number, text)


def curves(groups: Sequence[Group], objective: str | None) -> bytes | None:
    """A PNG of the objective and both losses over batches, with one color per group and one line per seed."""
    names = [name for name in (objective, "loss/discriminator", "loss/generator") if name]
    shown = [name for name in dict.fromkeys(names) if any(name in run.curves for g in groups for run in g.runs)]

    def drawing(name: str) -> Draw:
        def draw(axes: Axes) -> None:
            for index, group in enumerate(groups):
                label: str | None = _text(", ".join(group.labels())) or "all"
                for run in group.runs:
                    points = run.curves.get(name, np.empty((0, 2)))
                    points = points[np.abs(points[:, 1]) <= LARGEST]
                    points = points[np.linspace(0, max(len(points) - 1, 0), min(len(points), DENSEST)).astype(int)]
                    color = f"C{index}" if index < 10 else "lightgrey"
                    axes.plot(
                        points[:, 0],
                        points[:, 1],
                        color=color,
                        label=label if index < 10 else None,
                        alpha=0.8,
                        lw=1,
                        marker="." if len(points) <= FEW else None,
                    )
                    label = None
            _widen(axes.dataLim.intervaly, axes.set_yscale)
            axes.set(xlabel="batch", title=_text(name))
            if name == shown[0]:
                axes.legend(fontsize=7, loc="upper right")  # the best place takes seconds for a thousand lines

        return draw

    return _picture([drawing(name) for name in shown]) if shown else None


def _text(text: str) -> str:
    return printable(text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…")


def _picture(draws: Sequence[Draw]) -> bytes:
    """A PNG of plots side by side, in which every text stands as it is, without TeX and mathematical formulas."""
    with matplotlib.rc_context({"text.parse_math": False, "text.usetex": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # it is shown as a box
        warnings.filterwarnings("ignore", "constrained_layout not applied")  # long texts leave no place for the axes
        figure = Figure(figsize=(5.2 * len(draws), 3.8), dpi=110, layout="constrained")
        for axes, draw in zip(np.atleast_1d(figure.subplots(1, len(draws))), draws, strict=True):
            draw(axes)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
    return buffer.getvalue()
