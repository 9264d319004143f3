"""Runs grouped over their seeds, best first; as lines for a terminal and as CSV."""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from scipy import stats

from gan_lightning.files import ENDED, atomic
from gan_lightning.results.collect import Run, as_text, identity, is_better_high

LEVEL = 0.95
"""Of the confidence intervals."""


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but the seed.

    Attributes:
        values: what distinguishes them from the others, as text, by key.
        results: the objective of those that have ended.
    """

    values: dict[str, str]
    runs: list[Run]
    results: list[float]

    @property
    def mean(self) -> float | None:
        return statistics.mean(self.results) if self.results else None

    @property
    def half_width(self) -> float | None:
        """Of the mean's confidence interval by Student's t distribution; None for a single run."""
        count = len(self.results)
        if count < 2:
            return None
        quantile = float(stats.t.ppf((1 + LEVEL) / 2, count - 1))
        return quantile * statistics.stdev(self.results) / math.sqrt(count)

    def result(self) -> str:
        """The mean with its interval."""
        if self.mean is None:
            return "-"
        return f"{self.mean:.4g}" + (f" ± {self.half_width:.2g}" if self.half_width is not None else "")


def grouped(runs: Sequence[Run], keys: Sequence[str], objective: str | None) -> list[Group]:
    """The groups, best first; those without a result last."""
    members: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        members.setdefault(tuple(identity(run.value(key)) for key in keys), []).append(run)
    groups = [
        Group(
            dict(zip(keys, values, strict=True)),
            own,
            [v for run in own if (v := result_of(run, objective)) is not None],
        )
        for values, own in members.items()
    ]
    sign = -1 if objective is not None and is_better_high(objective) else 1
    return sorted(groups, key=lambda group: math.inf if group.mean is None else sign * group.mean)


def result_of(run: Run, objective: str | None) -> float | None:
    """A run's objective, once it has ended."""
    return run.figure(objective) if objective is not None and run.status in ENDED else None


def lines_of(groups: Sequence[Group], objective: str | None) -> list[str]:
    """The table for a terminal, and below it what did not end well."""
    keys = list(groups[0].values)
    head = [*map(short, keys), objective or "no objective", "runs"]
    body = [[*group.values.values(), group.result(), _count(group.runs)] for group in groups]
    lines = _aligned([head, *body])
    unfinished = [run for group in groups for run in group.runs if run.status not in ENDED]
    return lines + [f"{run.name}: {run.status}{_reason(run)}" for run in unfinished]


def short(key: str) -> str:
    """The last part of a key: `model.optimizer.lr` is known as lr."""
    return key.rpartition(".")[2]


def _count(runs: Sequence[Run]) -> str:
    ended = sum(run.status in ENDED for run in runs)
    return f"{ended}" if ended == len(runs) else f"{ended} of {len(runs)}"


def _reason(run: Run) -> str:
    reason = run.summary.get("reason")
    return f", {in_a_line(reason)}" if reason else ""


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def write_csv(runs: Iterable[Run], keys: Sequence[str], objective: str | None, path: Path) -> None:
    """One row a run: what distinguishes it, its status, its figures."""
    runs = list(runs)
    figures = list(dict.fromkeys(name for run in runs for name in run.summary.get("final") or {}))
    with atomic(path) as partial, partial.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["run", *keys, "seed", "status", "objective", "step", "images_seen", "seconds", "reason", *figures]
        )
        for run in runs:
            account = [run.summary.get(name) for name in ("step", "images_seen", "seconds", "reason")]
            values = [as_text(run.value(key)) for key in keys]
            found = [run.figure(name) for name in figures]
            writer.writerow([run.name, *values, run.seed, run.status, result_of(run, objective), *account, *found])


def in_a_line(reason: str) -> str:
    """The first lines of a reason, joined."""
    return " ".join(part.strip() for part in reason.splitlines()[:3])


def duration(run: Run) -> str:
    return str(timedelta(seconds=round(run.summary.get("seconds") or 0)))
