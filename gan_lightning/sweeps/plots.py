"""The plots of a page of results."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from gan_lightning.sweeps.collect import display_text, is_better_high, rounded
from gan_lightning.sweeps.table import Group, short
from gan_lightning.visualization.plots import LARGEST, Draw, curve, png, text, widen

MOST = 12
"""The largest number of values of a key that is an axis of a heat map."""


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
        return png([lambda axes: _heat_map(axes, done, keys[0], keys[1], objective)])
    numbers = {key: [_number(group.values[key]) for group in done] for key in keys}
    plots = {key: [v for v in found if v is not None] for key, found in numbers.items() if None not in found}
    if not plots:
        return None
    means = [group.mean for group in done]
    return png([_scatter(key, plots[key], means, objective) for key in plots])


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if abs(number) <= LARGEST else None


def _scatter(key: str, values: Sequence[float], means: Sequence[float | None], objective: str | None) -> Draw:
    def draw(axes: Axes) -> None:
        axes.scatter(values, means)  # type: ignore[arg-type]
        widen(axes.dataLim.intervalx, axes.set_xscale)
        widen(axes.dataLim.intervaly, axes.set_yscale)
        axes.set(xlabel=text(key), ylabel=text(objective or ""))

    return draw


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
    axes.figure.colorbar(picture, label=text(objective or ""))
    axes.set_xticks(range(len(columns)), [text(display_text(value)) for value in columns])
    axes.set_yticks(range(len(rows)), [text(display_text(value)) for value in rows])
    xlabel, ylabel = map(text, short([across, down]))
    title = "means over the other keys" if len(groups[0].values) > 2 else ""
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)


def _order(value: str) -> tuple[float, str]:
    number = _number(value)
    return (float("inf") if number is None else number, value)


def curves(groups: Sequence[Group], objective: str | None) -> bytes | None:
    """A PNG of the objective and both losses over batches, with one color per group and one line per seed."""
    names = [name for name in (objective, "loss/discriminator", "loss/generator") if name]
    shown = [name for name in dict.fromkeys(names) if any(name in run.curves for g in groups for run in g.runs)]

    def drawing(name: str) -> Draw:
        def draw(axes: Axes) -> None:
            for index, group in enumerate(groups):
                label: str | None = text(", ".join(group.labels())) or "all"
                for run in group.runs:
                    points = run.curves.get(name, np.empty((0, 2)))
                    color = f"C{index}" if index < 10 else "lightgrey"
                    curve(axes, points, color=color, label=label if index < 10 else None, alpha=0.8)
                    label = None
            widen(axes.dataLim.intervaly, axes.set_yscale)
            axes.set(xlabel="batch", title=text(name))
            if name == shown[0]:
                axes.legend(fontsize=7, loc="upper right")  # the best place takes seconds for a thousand lines

        return draw

    return png([drawing(name) for name in shown]) if shown else None
