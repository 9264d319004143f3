"""The plots of a page of results."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from gan_lightning.sweeps.collect import display_text, is_better_high, rounded
from gan_lightning.sweeps.table import Group
from gan_lightning.visualization.plots import LARGEST, Draw, curve, png, text, widen

MOST = 12
"""The largest number of values of a key that is an axis of a heat map, or that are no numbers."""
WITH_INTERVALS = 4
"""The largest number of columns of a heat map whose cells have room for an interval."""
COLORS = 10
"""The number of groups with a color of their own, the first ones; the other curves are grey."""


def landscape(groups: Sequence[Group], objective: str | None) -> bytes | None:
    """A PNG of the objective over the varied keys; None if there is nothing to show.

    It is a heat map over two keys with few values each, else a plot for each key whose values are numbers or few.
    """
    keys = sorted(groups[0].values, key=lambda key: not key.endswith(("lr", "betas")))
    done = [group for group in groups if objective is not None and group.results[objective]]
    if objective is None or not done:
        return None
    few = [key for key in keys if len({group.values[key] for group in groups}) <= MOST]
    if len(keys) >= 2 and few[:2] == keys[:2]:
        return png([lambda axes: _heat_map(axes, done, keys[0], keys[1], objective)])
    shown = [key for key in keys if key in few or all(_number(group.values[key]) is not None for group in done)]
    return png([_means(done, key, objective) for key in shown]) if shown else None


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if abs(number) <= LARGEST else None


def _means(groups: Sequence[Group], key: str, objective: str) -> Draw:
    """A plot of the groups' means over the values of a key, with a bar for those of several seeds."""

    def draw(axes: Axes) -> None:
        names = sorted({group.values[key] for group in groups}, key=_order)
        numbers = [_number(name) for name in names]
        places = dict(zip(names, range(len(names)) if None in numbers else numbers, strict=True))
        found = [(places[g.values[key]], g.mean(objective), g.half_width(objective) or np.nan) for g in groups]
        across, means, bars = np.array(found, np.float64).T
        axes.errorbar(across, means, bars, fmt="o", capsize=4)
        if None in numbers:
            axes.set_xticks(range(len(names)), [text(name) for name in names])
        else:
            widen(axes.dataLim.intervalx, axes.set_xscale)
        widen(axes.dataLim.intervaly, axes.set_yscale)
        axes.set(xlabel=text(key), ylabel=text(objective))

    return draw


def _heat_map(axes: Axes, groups: Sequence[Group], across: str, down: str, objective: str) -> None:
    """The means of the groups; a cell with several groups has the mean of their means."""
    columns, rows = (sorted({group.values[key] for group in groups}, key=_order) for key in (across, down))
    grid = np.full((len(rows), len(columns)), np.nan)
    for r, c in np.ndindex(*grid.shape):
        found = [group for group in groups if (group.values[down], group.values[across]) == (rows[r], columns[c])]
        if found:
            grid[r, c] = np.mean([group.mean(objective) for group in found])  # type: ignore[arg-type]
            has_room = len(found) == 1 and len(columns) <= WITH_INTERVALS
            label = found[0].texts()[0] if has_room else rounded(float(grid[r, c]))
            axes.text(c, r, label, ha="center", va="center", bbox={"facecolor": "white", "alpha": 0.7})
    picture = axes.imshow(grid, cmap="viridis" if is_better_high(objective) else "viridis_r", aspect="auto")
    axes.figure.colorbar(picture, label=f"{text(objective)} (brighter is better)")
    axes.set_xticks(range(len(columns)), [text(display_text(value)) for value in columns])
    axes.set_yticks(range(len(rows)), [text(display_text(value)) for value in rows])
    title = "means over the other keys" if len(groups[0].values) > 2 else ""
    axes.set(xlabel=text(across), ylabel=text(down), title=title)


def _order(value: str) -> tuple[float, str]:
    number = _number(value)
    return (float("inf") if number is None else number, value)


def curves(groups: Sequence[Group], objective: str | None) -> bytes | None:
    """A PNG of the objective and both losses over batches, with one color per group and one line per run."""
    names = [name for name in (objective, "loss/discriminator", "loss/generator") if name]
    shown = [name for name in dict.fromkeys(names) if any(name in run.curves for g in groups for run in g.runs)]

    def drawing(name: str) -> Draw:
        def draw(axes: Axes) -> None:
            for index, group in enumerate(groups):
                label: str | None = ", ".join(map(text, group.named_labels())) or "all"
                for run in group.runs:
                    points = run.curves.get(name, np.empty((0, 2)))
                    color = f"C{index}" if index < COLORS else "lightgrey"
                    curve(axes, points, color=color, label=label if index < COLORS else None, alpha=0.8)
                    label = None
            widen(axes.dataLim.intervaly, axes.set_yscale)
            axes.set(xlabel="batch", title=text(name))

        return draw

    return png([drawing(name) for name in shown], legend=True) if shown else None
