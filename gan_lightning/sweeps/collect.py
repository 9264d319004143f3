"""The runs below a folder, and the configuration keys in which they differ."""

from __future__ import annotations

import csv
import json
import logging
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from gan_lightning.config.instantiate import value_at
from gan_lightning.errors import UserError
from gan_lightning.evaluation.metrics import METRICS
from gan_lightning.training.run_folder import ENDED, ORIGIN, RunFolder

Series = list[tuple[int, float]]
"""(batch, value) of one logged metric."""
WITHOUT_EFFECT = (
    *("trainer.accelerator", "trainer.devices", "trainer.num_nodes", "callbacks.progress", "logger"),
    *("data.root", "data.num_workers", "name", "objective", "resume", "hydra"),
)
"""Beginnings of the keys that change no result."""


@dataclass(frozen=True)
class Run:
    """One run folder."""

    name: str
    folder: RunFolder
    config: dict[str, Any] = field(repr=False)
    summary: dict[str, Any] = field(repr=False)
    refusal: dict[str, Any] = field(repr=False)
    overrides: dict[str, str]
    """The overrides of its command line, by key."""
    choices: dict[str, str | None] = field(repr=False)
    """The chosen option of each configuration group."""

    @property
    def ended(self) -> bool:
        """Whether the run has ended, so that its metrics are final."""
        return self.summary.get("status") in ENDED

    @property
    def status(self) -> str:
        """Its status in summary.json; "refused" if it could not start; "died" if that is running but no process is."""
        if self.ended:
            return self.summary["status"]
        status = self.refusal.get("status") or self.summary.get("status", "died")
        return "died" if status == "running" and not self.folder.is_locked() else status

    @property
    def reason(self) -> str | None:
        """Why the run failed; if it has ended, why a later start in its folder was refused."""
        reason = self.refusal.get("reason") or self.summary.get("reason")
        return f"a later start in its folder was refused: {reason}" if self.ended and reason else reason

    @property
    def seed(self) -> int | None:
        return self.config.get("seed")

    def value(self, key: str) -> Any:
        """The value of a configuration key, or the chosen option of a group."""
        return value_at(self.config, key, self.overrides | self.choices)

    def metric(self, name: str) -> float | None:
        """The last value of a logged metric; None if there is none or it is not finite."""
        value = (self.summary.get("final") or {}).get(name)
        return value if value is not None and math.isfinite(value) else None

    @cached_property
    def curves(self) -> dict[str, Series]:
        """Every metric that the run logged to TensorBoard or to CSV files."""
        return _tensorboard_series(self.folder.path) or _csv_series(self.folder.path)

    def samples(self) -> Path | None:
        """The path of its last sample grid."""
        return max(self.folder.samples.glob("step_*.png"), default=None)


def find(folder: str | Path) -> list[Run]:
    """The runs below a folder, in the order of their names.

    Raises:
        UserError: There are none.
    """
    root = Path(folder)
    places = sorted(
        {path.parent for name in ("summary", "refused") for path in root.rglob(f"{name}.json")},
        key=lambda path: _natural_key(str(path)),
    )
    if not places:
        raise UserError(f"{root}: it contains no run folders (with a summary.json)")
    return [_read(place, root) for place in places]


def _read(place: Path, root: Path) -> Run:
    folder = RunFolder(place)
    refusal = folder.read_refusal()
    name = str(place.relative_to(root)) if place != root else place.name
    if not folder.config.exists():  # a job that could not start
        config, lines, choices = refusal.get("config", {}), refusal.get("overrides", []), refusal.get("choices", {})
    else:
        typed, hydra = (place / ORIGIN / f"{name}.yaml" for name in ("overrides", "hydra"))
        config = folder.read_config()
        lines = yaml.safe_load(typed.read_text()) if typed.exists() else []
        choices = yaml.safe_load(hydra.read_text())["hydra"]["runtime"]["choices"] if hydra.exists() else {}
    overrides = {key: value for key, _, value in (line.lstrip("+~").partition("=") for line in lines)}
    return Run(name, folder, config, folder.read_summary(), refusal, overrides, choices)


def varied(runs: Sequence[Run]) -> list[str]:
    """The keys of the command line in which the runs differ, in their order there.

    The seed and the keys that change no result are left out.
    """
    keys = dict.fromkeys(key for run in runs for key in run.overrides if not key.startswith(WITHOUT_EFFECT))
    return [key for key in keys if key != "seed" and len({as_text(run.value(key)) for run in runs}) > 1]


def objective_of(runs: Iterable[Run], requested: str | None = None, planned: str | None = None) -> str | None:
    """The metric that the runs are compared by.

    It is `requested`, else the sweep's objective (`planned`), else the runs' own, else metric/fid if it was logged.

    Raises:
        UserError: No run has logged `requested`.
    """
    runs = list(runs)
    known = dict.fromkeys(name for run in runs for name in run.summary.get("final") or {})
    if requested is not None and known and requested not in known:
        raise UserError(f"--objective {requested}: no run has it. There are: {', '.join(known)}")
    own = next((run.config["objective"] for run in runs if run.config.get("objective")), None)
    return requested or planned or own or ("metric/fid" if "metric/fid" in known else None)


def is_better_high(objective: str) -> bool:
    return METRICS.get(objective.removeprefix("metric/")) == "max"


def as_text(value: Any) -> str:
    """A value as it is written on the command line."""
    if isinstance(value, list):
        return f"[{','.join(map(as_text, value))}]"
    return value if isinstance(value, str) else json.dumps(value)


def rounded(value: float, digits: int = 4) -> str:
    """A number with `digits` significant digits; with an exponent only if it is very large or small."""
    return f"{float(f'{value:.{digits}g}'):.10g}"


def display_text(text: str) -> str:
    """The text of a value for tables: numbers that are not integers have four significant digits."""
    try:
        return text if text.isdigit() else rounded(float(text))
    except ValueError:
        return text


def _natural_key(text: str) -> list[Any]:
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", text) if part]


def _tensorboard_series(folder: Path) -> dict[str, Series]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logging.getLogger("tensorboard").setLevel(logging.ERROR)  # it logs a message at the end of each file
    found: dict[str, Series] = {}
    for place in sorted({path.parent for path in folder.rglob("events.out.tfevents.*")}):
        events = EventAccumulator(str(place), size_guidance={"scalars": 0}).Reload()
        for tag in events.Tags()["scalars"]:
            found.setdefault(tag, []).extend((event.step, event.value) for event in events.Scalars(tag))
    return {name: _last_per_step(series) for name, series in found.items()}


def _csv_series(folder: Path) -> dict[str, Series]:
    found: dict[str, Series] = {}
    for path in sorted(folder.rglob("metrics.csv"), key=lambda path: _natural_key(str(path))):
        with path.open() as lines:
            for row in csv.DictReader(lines):
                for name, value in row.items():
                    if value and name != "step":
                        found.setdefault(name, []).append((int(float(row["step"])), float(value)))
    return {name: _last_per_step(series) for name, series in found.items()}


def _last_per_step(series: Series) -> Series:
    """The last value of each batch: a run that was killed and resumed has logged some batches twice."""
    return sorted(dict(series).items())
