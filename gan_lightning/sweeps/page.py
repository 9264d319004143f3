"""The results as one HTML file without other files: table, heat map, curves, samples."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gan_lightning.files import atomic
from gan_lightning.sweeps.collect import Run, display_text, is_better_high, rounded
from gan_lightning.sweeps.table import LEVEL, Group, count, duration, short

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 72em; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 } th, td { text-align: left; padding: .25em .9em; vertical-align: top }
th { border-bottom: 2px solid #888 } td { border-bottom: 1px solid #ddd } tr.best td { background: #eef7ee }
td.bad { color: #a00; max-width: 40em } figure { display: inline-block; margin: .4em; vertical-align: top }
figcaption { font-size: 13px; max-width: 16em } img.grid { width: 16em; image-rendering: pixelated }
img.plot { max-width: 100% }
"""
FEW = 10
"""The largest number of points of a curve at which each point has a marker."""
MOST = 12
"""The largest number of values of a key that is an axis of a heat map."""
Draw = Callable[[Axes], object]


def write(title: str, groups: Sequence[Group], objective: str | None, path: Path) -> None:
    """Writes the page of results to `path`; `groups` are in the order of `table.grouped`."""
    runs = [run for group in groups for run in group.runs]
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        _summary(runs, objective),
        _table(groups, objective),
        *(_section("Landscape", _landscape(groups, objective)) if objective else ()),
        *_section("Curves", _curves(groups, objective)),
        *_section("Samples, best first", _samples(groups, objective)),
        *_section("Runs", [_runs(runs, objective)]),
    ]
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
    with atomic(path) as partial:
        partial.write_text(f"{head}<style>{STYLE}</style><body>{''.join(parts)}</body></html>\n", encoding="utf-8")


def _section(title: str, content: Iterable[str]) -> Iterable[str]:
    found = list(content)
    return [f"<h2>{title}</h2>", *found] if found else []


def _summary(runs: Sequence[Run], objective: str | None) -> str:
    counts = {status: sum(run.status == status for run in runs) for status in dict.fromkeys(run.status for run in runs)}
    texts = ", ".join(f"{count} {status}" for status, count in counts.items())
    better = f"; {objective}, {'higher' if is_better_high(objective) else 'lower'} is better" if objective else ""
    return (
        f"<p>{len(runs)} runs: {texts}{html.escape(better)}. ± is the {LEVEL:.0%} confidence interval over seeds.</p>"
    )


def _table(groups: Sequence[Group], objective: str | None) -> str:
    head = [*short(list(groups[0].values)), objective or "", "runs that ended"]
    rows = []
    for rank, group in enumerate(groups):
        cells = [*group.labels(), group.result(), count(group.runs)]
        best = ' class="best"' if rank == 0 and group.results else ""
        rows.append(f"<tr{best}>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>")
    return f"<table><tr>{''.join(f'<th>{html.escape(name)}</th>' for name in head)}</tr>{''.join(rows)}</table>"


def _runs(runs: Sequence[Run], objective: str | None) -> str:
    rows = []
    for run in runs:
        value = run.metric(objective) if objective else None
        reason = f'<td class="bad">{html.escape(run.reason or "")}</td>'
        cells = [run.name, run.status, "" if value is None else rounded(value), f"{run.summary.get('step', 0):,}"]
        texts = "".join(f"<td>{html.escape(cell)}</td>" for cell in (*cells, duration(run)))
        rows.append(f"<tr>{texts}{reason}</tr>")
    head = "".join(f"<th>{name}</th>" for name in ("run", "status", "objective", "batches", "time", "reason"))
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def _landscape(groups: Sequence[Group], objective: str | None) -> Iterable[str]:
    """A heat map over two keys with few values each, else a scatter plot of the objective for each numeric key."""
    keys = sorted(groups[0].values, key=lambda key: not key.endswith(("lr", "betas")))
    values = {key: list(dict.fromkeys(group.values[key] for group in groups)) for key in keys}
    done = [group for group in groups if group.mean is not None]
    if not done:
        return
    if len(keys) >= 2 and all(len(values[key]) <= MOST for key in keys[:2]):
        yield _picture([lambda axes: _heat_map(axes, done, keys[0], keys[1], objective)])
        return
    numbers = {key: [_number(group.values[key]) for group in done] for key in keys}
    plots = {key: [v for v in found if v is not None] for key, found in numbers.items() if None not in found}
    if plots:
        means = [group.mean for group in done]
        yield _picture([_scatter(key, plots[key], means, objective) for key in plots])


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _scatter(key: str, values: Sequence[float], means: Sequence[float | None], objective: str | None) -> Draw:
    def draw(axes: Axes) -> None:
        axes.scatter(values, means)  # type: ignore[arg-type]
        _widen(axes.dataLim.intervalx, axes.set_xscale)
        _widen(axes.dataLim.intervaly, axes.set_yscale)
        axes.set(xlabel=key, ylabel=objective or "")

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
    axes.figure.colorbar(picture, label=objective)
    axes.set_xticks(range(len(columns)), map(display_text, columns))
    axes.set_yticks(range(len(rows)), map(display_text, rows))
    xlabel, ylabel = short([across, down])
    title = "means over the other keys" if len(groups[0].values) > 2 else ""
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)


def _order(text: str) -> tuple[float, str]:
    number = _number(text)
    return (float("inf") if number is None else number, text)


def _curves(groups: Sequence[Group], objective: str | None) -> Iterable[str]:
    """The objective and both losses over batches, with one color per group and one line per seed."""
    names = [name for name in (objective, "loss/discriminator", "loss/generator") if name]
    shown = [name for name in dict.fromkeys(names) if any(run.curves.get(name) for g in groups for run in g.runs)]

    def drawing(name: str) -> Draw:
        def draw(axes: Axes) -> None:
            for index, group in enumerate(groups):
                label: str | None = ", ".join(group.labels()).replace("$", r"\$") or "all"
                for run in group.runs:
                    points = np.array(sorted(run.curves.get(name, []))).reshape(-1, 2)
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
            axes.set(xlabel="batch", title=name)
            if name == shown[0]:
                axes.legend(fontsize=7)

        return draw

    if shown:
        yield _picture([drawing(name) for name in shown])


def _samples(groups: Sequence[Group], objective: str | None) -> Iterable[str]:
    for group in groups:
        for run in group.runs:
            path = run.samples()
            if path is None:
                continue
            value = run.metric(objective) if objective else None
            texts = [
                *group.named_labels(),
                f"seed {run.seed}",
                run.status,
            ]
            texts += [f"{objective} {rounded(value)}"] if value is not None else []
            image = f'<img class="grid" src="{_inline(path.read_bytes())}" alt="samples">'
            yield f"<figure>{image}<figcaption>{html.escape(', '.join(texts))}</figcaption></figure>"


def _picture(draws: Sequence[Draw]) -> str:
    figure = Figure(figsize=(5.2 * len(draws), 3.8), dpi=110, layout="constrained")
    for axes, draw in zip(np.atleast_1d(figure.subplots(1, len(draws))), draws, strict=True):
        draw(axes)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return f'<img class="plot" src="{_inline(buffer.getvalue())}" alt="">'


def _inline(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
