"""The results as one HTML file without other files: table, heat map, curves, samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gan_lightning.errors import UserError
from gan_lightning.sweeps import plots
from gan_lightning.sweeps.collect import Run, is_better_high, rounded
from gan_lightning.sweeps.reproduction import HEAD, Row, cells_of
from gan_lightning.sweeps.table import LEVEL, Group, count, duration, short
from gan_lightning.visualization import html
from gan_lightning.visualization.pictures import read_picture

STYLE = """\
tr.best td { background: #eef7ee } td.bad { color: #a00; max-width: 40em }
img.grid { width: 16em; image-rendering: pixelated }
"""
PAGE = """\
<!doctype html>
<html lang="en">
<head>
{{ head | safe }}
</head>
<body>
<h1>{{ title }}</h1>
<p>{{ summary }}</p>
<table>
<tr>{% for name in columns %}<th>{{ name }}</th>{% endfor %}</tr>
{% for row in rows %}
<tr{% if row.best %} class="best"{% endif %}>{% for cell in row.cells %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</table>
{% if published %}
<h2>Published figures</h2>
<table>
<tr>{% for name in published_head %}<th>{{ name }}</th>{% endfor %}</tr>
{% for row in published %}
<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</table>
{% endif %}
{% for name, picture in plots if picture %}
<h2>{{ name }}</h2>
<img class="plot" src="{{ picture | png }}" alt="">
{% endfor %}
{% if samples %}
<h2>Samples, best first</h2>
{% for sample in samples %}
<figure>
{% if sample.picture %}<img class="grid" src="{{ sample.picture | png }}" alt="samples">{% endif %}
<figcaption>{{ sample.caption }}</figcaption>
</figure>
{% endfor %}
{% endif %}
<h2>Runs</h2>
<table>
<tr>{% for name in ("run", "status", "objective", "batches", "time", "reason") %}<th>{{ name }}</th>{% endfor %}</tr>
{% for run in runs %}
<tr>{% for cell in run.cells %}<td>{{ cell }}</td>{% endfor %}<td class="bad">{{ run.reason }}</td></tr>
{% endfor %}
</table>
</body>
</html>
"""
WIDEST = 256
"""The largest width and height in pixels of a sample grid in the page, which shows it at 16em; the run has the rest."""


def write(
    title: str, groups: Sequence[Group], objective: str | None, path: Path, published: Sequence[Row] = ()
) -> None:
    """Writes the page of results to `path`; `groups` are in the order of `table.grouped`."""
    runs = [run for group in groups for run in group.runs]
    content: dict[str, Any] = {
        "title": title,
        "summary": _summary(runs, objective),
        "columns": [*short(list(groups[0].values)), objective or "", "runs that ended"],
        "rows": [
            {"best": rank == 0 and group.results, "cells": [*group.labels(), group.result(), count(group.runs)]}
            for rank, group in enumerate(groups)
        ],
        "published_head": HEAD,
        "published": [cells_of(row) for row in published],
        "plots": [("Landscape", plots.landscape(groups, objective)), ("Curves", plots.curves(groups, objective))],
        "samples": [_sample(group, run, objective) for group in groups for run in group.runs if run.samples()],
        "runs": [_row(run, objective) for run in runs],
    }
    html.write(path, PAGE, STYLE, **content)


def _summary(runs: Sequence[Run], objective: str | None) -> str:
    counts = {status: sum(run.status == status for run in runs) for status in dict.fromkeys(run.status for run in runs)}
    texts = ", ".join(f"{count} {status}" for status, count in counts.items())
    better = f"; {objective}, {'higher' if is_better_high(objective) else 'lower'} is better" if objective else ""
    return f"{len(runs)} runs: {texts}{better}. ± is the {LEVEL:.0%} confidence interval over seeds."


def _row(run: Run, objective: str | None) -> dict[str, Any]:
    value = run.metric(objective) if objective else None
    cells = [run.name, run.status, "" if value is None else rounded(value), f"{run.summary.get('step') or 0:,}"]
    return {"cells": [*cells, duration(run)], "reason": run.reason or ""}


def _sample(group: Group, run: Run, objective: str | None) -> dict[str, Any]:
    """The last sample grid of a run, with a caption."""
    value = run.metric(objective) if objective else None
    texts = [*group.named_labels(), f"seed {run.seed}", run.status]
    texts += [f"{objective} {rounded(value)}"] if value is not None else []
    path = run.samples()
    assert path is not None
    try:
        picture = html.encoded(read_picture(path, run.folder.path), WIDEST)
    except UserError as error:
        return {"picture": None, "caption": ", ".join([*texts, str(error)])}
    return {"picture": picture, "caption": ", ".join(texts)}
