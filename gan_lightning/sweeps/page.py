"""The results as one HTML file without other files: table, heat map, curves, samples."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gan_lightning.errors import UserError
from gan_lightning.sweeps import plots, standings
from gan_lightning.sweeps.best import Best
from gan_lightning.sweeps.collect import Run, is_better_high, ranked, rounded
from gan_lightning.sweeps.race_record import Race
from gan_lightning.sweeps.reproduction import HEAD, Row, cells_of
from gan_lightning.sweeps.table import LEVEL, Group, count, duration, short, unsorted
from gan_lightning.visualization import html
from gan_lightning.visualization.pictures import read_picture

STYLE = """\
tr.best td { background: #eef7ee } td.bad { color: #a00; max-width: 40em }
img.grid { width: 16em; image-rendering: pixelated } figcaption { overflow-wrap: anywhere }
pre { background: #f5f5f5; padding: .6em .9em; margin: .3em 0; white-space: pre-wrap; user-select: all }
"""
PAGE = """\
<p>{{ summary }}</p>
{% if unsorted %}<p>{{ unsorted }}</p>{% endif %}
<table>
<tr>{% for name in columns %}<th>{{ name }}</th>{% endfor %}</tr>
{% for row in rows %}
<tr{% if row.best %} class="best"{% endif %}>{% for cell in row.cells %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</table>
{% if best %}
<h2>The best setting</h2>
<p>{{ best.result }}</p>
{% for purpose, command in best.commands.items() %}
<p>To {{ purpose }}:</p>
<pre>{{ command }}</pre>
{% endfor %}
{% endif %}
{% if race_rows %}
<h2>The race</h2>
{% for line in race_answer %}
<p>{{ line }}</p>
{% endfor %}
<table>
<tr>{% for name in race_head %}<th>{{ name }}</th>{% endfor %}</tr>
{% for row in race_rows %}
<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</table>
{% endif %}
{% if published %}
<h2>Published figures</h2>
<table>
<tr>{% for name in published_head %}<th>{{ name }}</th>{% endfor %}</tr>
{% for row in published %}
<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</table>
{% endif %}
{% for name, picture, note in plots if picture %}
<h2>{{ name }}</h2>
<p>{{ note }}</p>
<img class="plot" src="{{ picture | png }}" alt="">
{% endfor %}
{% if samples %}
<h2>Samples{{ ", best setting first" if objective }}</h2>
{% for sample in samples %}
<figure>
{% if sample.picture %}<img class="grid" src="{{ sample.picture | png }}" alt="samples">{% endif %}
<figcaption>{{ sample.caption }}</figcaption>
</figure>
{% endfor %}
{% endif %}
<h2>Runs{{ ", best first" if objective }}</h2>
<table>
<tr>{% for name in run_head %}<th>{{ name }}</th>{% endfor %}</tr>
{% for run in runs %}
<tr><td><a href="{{ run.folder }}">{{ run.name }}</a></td>
<td>{% if run.report %}<a href="{{ run.report }}">report</a>{% endif %}</td>
{% for cell in run.cells %}<td>{{ cell }}</td>{% endfor %}<td class="bad">{{ run.reason }}</td></tr>
{% endfor %}
</table>
"""
INTERVAL = f"the {LEVEL:.0%} confidence interval over seeds"
WIDEST = 256
"""The largest width and height in pixels of a sample grid in the page, which shows it at 16em; the run has the rest."""


def write(
    title: str,
    runs: Sequence[Run],
    groups: Sequence[Group],
    objective: str | None,
    best: Best | None,
    path: Path,
    published: Sequence[Row] = (),
    race: Race | None = None,
) -> None:
    """Writes the page of results of `runs`, which are `groups`, to `path`."""
    metrics = list(groups[0].results)
    landscape = None if race else plots.landscape(groups, objective)  # the runs of a race have different lengths
    content: dict[str, Any] = {
        "title": title,
        "summary": _summary(runs, objective),
        "objective": objective,
        "unsorted": "" if objective else unsorted(path.parent, groups),
        "best": best,
        "columns": [*short(list(groups[0].values)), *metrics, "runs that ended"],
        "rows": [
            {"best": rank == 0 and best, "cells": [*group.labels(), *group.texts(), count(group.runs)]}
            for rank, group in enumerate(groups)
        ],
        "race_answer": standings.answer(race) if race else [],
        "race_head": standings.head(race) if race else [],
        "race_rows": standings.rows(race) if race else [],
        "published_head": HEAD,
        "published": [cells_of(row) for row in published],
        "plots": [
            ("The objective by setting", landscape, f"Means; bars and ± are {INTERVAL}."),
            ("Curves", plots.curves(groups, objective), "A line is a run; those of a setting have one color."),
        ],
        "samples": [
            _sample(group, run, objective) for group in groups for run in ranked(group.runs, objective) if run.samples()
        ],
        "run_head": ["run", "", "status", *metrics, "batches", "time", "doctor", "reason"],
        "runs": [_row(run, metrics, path.parent) for run in ranked(runs, objective)],
    }
    html.write(path, PAGE, STYLE, **content)


def _summary(runs: Sequence[Run], objective: str | None) -> str:
    counts = {status: sum(run.status == status for run in runs) for status in dict.fromkeys(run.status for run in runs)}
    texts = ", ".join(f"{count} {status}" for status, count in counts.items())
    better = f"; {objective}, {'higher' if is_better_high(objective) else 'lower'} is better" if objective else ""
    return f"{len(runs)} runs: {texts}{better}. ± is {INTERVAL}."


def _row(run: Run, metrics: Sequence[str], place: Path) -> dict[str, Any]:
    """The cells of a run, and its addresses for a page in the folder `place`."""
    values = [run.metric(name) for name in metrics]
    shown = ["" if value is None else rounded(value) for value in values]
    return {
        "name": run.name,
        "folder": _address(run.folder.path, place) + "/",
        "report": _address(run.folder.report, place) if run.folder.report.is_file() else None,
        "cells": [run.status, *shown, f"{run.summary.get('step') or 0:,}", duration(run), run.diagnosis],
        "reason": run.reason or "",
    }


def _address(path: Path, place: Path) -> str:
    """The address of a file in a page of the folder `place`; a colon is quoted, so that no name begins a javascript:"""
    return quote(Path(os.path.relpath(path, place)).as_posix())


def _sample(group: Group, run: Run, objective: str | None) -> dict[str, Any]:
    """The last sample grid of a run, with a caption."""
    value = run.metric(objective) if objective else None
    texts = [*group.named_labels(), f"seed {run.seed}", run.status]
    texts += [f"{objective} {rounded(value)}"] if value is not None else []
    path = run.samples()
    assert path is not None
    try:
        picture = html.encoded(read_picture(path, run.folder.path), WIDEST, WIDEST)
    except UserError as error:
        return {"picture": None, "caption": ", ".join([*texts, str(error)])}
    return {"picture": picture, "caption": ", ".join(texts)}
