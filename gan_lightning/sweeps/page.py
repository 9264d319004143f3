"""The results as one HTML file without other files: table, heat map, curves, samples."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from PIL import Image

from gan_lightning.errors import UserError
from gan_lightning.files import atomic
from gan_lightning.sweeps import plots
from gan_lightning.sweeps.collect import Run, is_better_high, rounded
from gan_lightning.sweeps.reproduction import HEAD, Row, cells_of
from gan_lightning.sweeps.table import LEVEL, Group, count, duration, short
from gan_lightning.terminal import printable_lines
from gan_lightning.visualization.pictures import read_picture

STYLE = """\
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 72em; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 } th, td { text-align: left; padding: .25em .9em; vertical-align: top }
th { border-bottom: 2px solid #888 } td { border-bottom: 1px solid #ddd } tr.best td { background: #eef7ee }
td.bad { color: #a00; max-width: 40em } figure { display: inline-block; margin: .4em; vertical-align: top }
figcaption { font-size: 13px; max-width: 16em } img.grid { width: 16em; image-rendering: pixelated }
img.plot { max-width: 100% }
"""
PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{{ policy }}">
<title>{{ title }}</title>
<style>{{ style }}</style>
</head>
<body>
<h1>{{ title }}</h1>
<p>{{ summary }}</p>
<table>
<tr>{% for name in head %}<th>{{ name }}</th>{% endfor %}</tr>
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
"""What stands in it comes from run folders, which may be a stranger's: every {{ value }} is escaped."""
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""The content security policy: a browser runs no script of the page and loads nothing from elsewhere."""
WIDEST = 256
"""The largest width and height in pixels of a sample grid in the page, which shows it at 16em; the run has the rest."""


def write(
    title: str, groups: Sequence[Group], objective: str | None, path: Path, published: Sequence[Row] = ()
) -> None:
    """Writes the page of results to `path`; `groups` are in the order of `table.grouped`."""
    runs = [run for group in groups for run in group.runs]
    content = {
        "policy": POLICY,
        "title": title,
        "style": STYLE,
        "summary": _summary(runs, objective),
        "head": [*short(list(groups[0].values)), objective or "", "runs that ended"],
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
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, finalize=printable_lines)
    environment.filters["png"] = lambda png: f"data:image/png;base64,{base64.b64encode(png).decode()}"
    with atomic(path) as partial:
        partial.write_text(environment.from_string(PAGE).render(content), encoding="utf-8")


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
        picture = _encoded(read_picture(path, run.folder.path))
    except UserError as error:
        return {"picture": None, "caption": ", ".join([*texts, str(error)])}
    return {"picture": picture, "caption": ", ".join(texts)}


def _encoded(picture: Image.Image) -> bytes:
    """A PNG of the pixels alone: whatever else the file held stays out of the page."""
    picture.info = {}
    picture.thumbnail((WIDEST, WIDEST))
    buffer = io.BytesIO()
    picture.save(buffer, format="png", compress_level=2)  # noise is smaller so than at 6, and written faster
    return buffer.getvalue()
