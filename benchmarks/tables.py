"""Markdown tables of metrics over seeds."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence


def cell(values: Sequence[float]) -> str:
    """Mean and standard deviation over seeds."""
    if len(values) == 1:
        return f"{values[0]:.4g}"
    return f"{statistics.mean(values):.4g} ± {statistics.stdev(values):.2g}"


def row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def head(titles: Sequence[str]) -> str:
    return f"{row(titles)}\n{row('---' for _ in titles)}"
