"""Runs grouped over their seeds, best first, as a table for the terminal and as CSV."""

from __future__ import annotations

import csv
import math
import os
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from shlex import quote
from typing import Any

from scipy.special import stdtrit

from gan_lightning.files import atomic
from gan_lightning.sweeps.collect import UNREADABLE, Run, as_text, compared, display_text, rank, ranked, rounded
from gan_lightning.terminal import printable

LEVEL = 0.95
"""The level of the confidence intervals."""
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a formula may begin with in a spreadsheet; the last four are the wide characters of East Asian text."""


@dataclass(frozen=True)
class Group:
    """Runs that differ only in the seed.

    Attributes:
        values: The values that distinguish them from other groups, as text, by key.
        runs: The runs.
        results: What the runs that have ended have reached in each compared metric, one number per seed.
    """

    values: dict[str, str]
    runs: list[Run]
    results: dict[str, list[float]]

    def mean(self, metric: str) -> float | None:
        return statistics.mean(self.results[metric]) if self.results[metric] else None

    def half_width(self, metric: str) -> float | None:
        """Half the width of the mean's confidence interval; None for fewer than two results."""
        return half_width(self.results[metric])

    def texts(self) -> list[str]:
        """The mean of each compared metric with its confidence interval."""
        return [with_interval(self.mean(metric), self.half_width(metric)) for metric in self.results]

    def labels(self) -> list[str]:
        """The distinguishing values as rounded text."""
        return [display_text(value) for value in self.values.values()]

    def named_labels(self) -> list[str]:
        """The labels with their keys in front."""
        return [f"{key}={label}" for key, label in zip(self.values, self.labels(), strict=True)]


def student(count: int) -> float:
    """Half the width of the confidence interval of a mean of `count` results, two or more, in standard errors."""
    return float(stdtrit(count - 1, (1 + LEVEL) / 2))


def half_width(results: Sequence[float]) -> float | None:
    """Half the width of the mean's confidence interval; None for fewer than two results."""
    count = len(results)
    return student(count) * statistics.stdev(results) / math.sqrt(count) if count > 1 else None


def with_interval(mean: float | None, half_width: float | None) -> str:
    """A mean with its confidence interval, as text; "-" without a mean."""
    if mean is None:
        return "-"
    return rounded(mean) + (f" ± {rounded(half_width, 2)}" if half_width is not None else "")


def grouped(runs: Sequence[Run], keys: Sequence[str], objective: str | None) -> list[Group]:
    """Groups runs by their values of `keys`, best first; groups without a result are last.

    Without an objective they are in the order of the runs.
    """
    members: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        values = ("?" if run.status == UNREADABLE else as_text(run.value(key)) for key in keys)
        members.setdefault(tuple(values), []).append(run)
    metrics = compared(runs, objective)
    groups = [
        Group(dict(zip(keys, values, strict=True)), own, {metric: results_of(own, metric) for metric in metrics})
        for values, own in members.items()
    ]
    return groups if objective is None else sorted(groups, key=lambda group: rank(group.mean(objective), objective))


def results_of(runs: Iterable[Run], metric: str) -> list[float]:
    """The values of a metric that the runs that have ended have reached, one per seed: the last run's."""
    return list({run.seed: value for run in runs if (value := run.result(metric)) is not None}.values())


def lines_of(groups: Sequence[Group]) -> list[str]:
    """The lines of the table for the terminal, and below it the runs that failed or have not ended."""
    head = [*short(list(groups[0].values)), *groups[0].results, "runs"]
    body = [[*group.labels(), *group.texts(), count(group.runs)] for group in groups]
    lines = _aligned([list(map(printable, row)) for row in (head, *body)])
    lines += [printable(f"{run.name}: {run.diagnosis}") for group in groups for run in group.runs if run.has_problem]
    unfinished = [run for group in groups for run in group.runs if not run.ended or run.reason]
    return lines + [
        printable(f"{run.name}: {run.status}{', ' + one_line(run.reason) if run.reason else ''}") for run in unfinished
    ]


def unsorted(folder: Path, groups: Sequence[Group]) -> str:
    """What the results of a folder say where no objective is set."""
    text = (
        "Nothing says which setting is the best, because objective=null: they are in the order of the runs. Set it to "
        "a logged metric, as in metrics=classifier objective=metric/fid."
    )
    metric = next(iter(groups[0].results), None)
    if metric is None:
        return text
    return f"{text} For these runs type: gan-results {quote(os.path.relpath(folder))} --objective {quote(metric)}"


def short(keys: Sequence[str]) -> list[str]:
    """Shortens each key to the last parts that are unique among them: `model.optimizer.lr` becomes `lr`."""
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


def write_csv(runs: Sequence[Run], keys: Sequence[str], objective: str | None, path: Path) -> None:
    """Writes one row per run, best first: its distinguishing values, its status, its metrics."""
    metrics = list(dict.fromkeys(name for run in runs for name in run.summary.get("final") or {}))
    with atomic(path) as partial, partial.open("w", newline="") as file:
        writer = csv.writer(file)
        account_head = ["step", "images_seen", "seconds", "doctor", "reason"]
        head = ["run", *keys, "seed", "status", "objective", *account_head, *metrics]
        writer.writerow(map(_cell, head))
        for run in ranked(runs, objective):
            account = [
                *(run.summary.get(name) for name in ("step", "images_seen", "seconds")),
                run.diagnosis,
                run.reason,
            ]
            values = [as_text(run.value(key)) for key in keys]
            found = [run.metric(name) for name in metrics]
            row = [run.name, *values, run.seed, run.status, run.result(objective), *account, *found]
            writer.writerow(map(_cell, row))


def _cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula: such texts begin with an apostrophe, as OWASP recommends."""
    if not isinstance(value, str) or not value.startswith(FORMULA):
        return value
    try:
        float(value)  # a negative number is no formula
    except ValueError:
        return f"'{value}"
    return value


def one_line(reason: str) -> str:
    """The first three lines of a reason, joined into one."""
    return " ".join(part.strip() for part in reason.splitlines()[:3])


def duration(run: Run) -> str:
    return str(timedelta(seconds=round(run.summary.get("seconds") or 0)))
