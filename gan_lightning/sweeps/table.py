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

from gan_lightning.files import atomic
from gan_lightning.sweeps.collect import Run, as_text, display_text, is_better_high, rounded

LEVEL = 0.95
"""Of the confidence intervals."""


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but the seed.

    Attributes:
        values: what distinguishes them from the others, as text, by key.
        results: the objective of those that have ended, one a seed: the last where there are several.
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
        return rounded(self.mean) + (f" ± {rounded(self.half_width, 2)}" if self.half_width is not None else "")

    def labels(self) -> list[str]:
        """What distinguishes them, to be read by people."""
        return [display_text(value) for value in self.values.values()]

    def named_labels(self) -> list[str]:
        """The same with the names of the keys."""
        return [f"{key} {label}" for key, label in zip(short(list(self.values)), self.labels(), strict=True)]


def grouped(runs: Sequence[Run], keys: Sequence[str], objective: str | None) -> list[Group]:
    """The groups, best first; those without a result last."""
    members: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        members.setdefault(tuple(as_text(run.value(key)) for key in keys), []).append(run)
    groups = [
        Group(
            dict(zip(keys, values, strict=True)),
            own,
            list({run.seed: v for run in own if (v := result_of(run, objective)) is not None}.values()),
        )
        for values, own in members.items()
    ]
    sign = -1 if objective is not None and is_better_high(objective) else 1
    return sorted(groups, key=lambda group: math.inf if group.mean is None else sign * group.mean)


def result_of(run: Run, objective: str | None) -> float | None:
    """A run's objective, once it has ended."""
    return run.metric(objective) if objective is not None and run.ended else None


def lines_of(groups: Sequence[Group], objective: str | None) -> list[str]:
    """The table for a terminal, and below it what did not end well."""
    keys = list(groups[0].values)
    head = [*short(keys), objective or "no objective", "runs"]
    body = [[*group.labels(), group.result(), count(group.runs)] for group in groups]
    lines = _aligned([head, *body])
    unfinished = [run for group in groups for run in group.runs if not run.ended or run.reason]
    return lines + [
        f"{run.name}: {run.status}{', ' + one_line(run.reason) if run.reason else ''}" for run in unfinished
    ]


def short(keys: Sequence[str]) -> list[str]:
    """As many of the last parts of each key as tell it from the others: `model.optimizer.lr` is known as lr."""
    return [_short(key, [other for other in keys if other != key]) for key in keys]


def _short(key: str, others: Sequence[str]) -> str:
    parts = key.split(".")
    endings = (".".join(parts[-count:]) for count in range(1, len(parts)))
    return next((e for e in endings if not any(f".{o}".endswith(f".{e}") for o in others)), key)


def count(runs: Sequence[Run]) -> str:
    ended, pruned = sum(run.ended for run in runs), sum(run.status == "pruned" for run in runs)
    count = f"{ended}" if ended == len(runs) else f"{ended} of {len(runs)}"
    return f"{count}, {pruned} pruned" if pruned else count


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def write_csv(runs: Iterable[Run], keys: Sequence[str], objective: str | None, path: Path) -> None:
    """One row a run: what distinguishes it, its status, its metrics."""
    runs = list(runs)
    metrics = list(dict.fromkeys(name for run in runs for name in run.summary.get("final") or {}))
    with atomic(path) as partial, partial.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["run", *keys, "seed", "status", "objective", "step", "images_seen", "seconds", "reason", *metrics]
        )
        for run in runs:
            account = [*(run.summary.get(name) for name in ("step", "images_seen", "seconds")), run.reason]
            values = [as_text(run.value(key)) for key in keys]
            found = [run.metric(name) for name in metrics]
            writer.writerow([run.name, *values, run.seed, run.status, result_of(run, objective), *account, *found])


def one_line(reason: str) -> str:
    """The first lines of a reason, joined."""
    return " ".join(part.strip() for part in reason.splitlines()[:3])


def duration(run: Run) -> str:
    return str(timedelta(seconds=round(run.summary.get("seconds") or 0)))
