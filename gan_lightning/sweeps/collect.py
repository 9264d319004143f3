"""The runs below a folder, and what they were told to do differently."""

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

from gan_lightning.config.targets import value_at
from gan_lightning.errors import UserError
from gan_lightning.evaluation.metrics import METRICS
from gan_lightning.training.run_folder import ENDED, RunFolder

Series = list[tuple[int, float]]
"""(batch, value) of one logged metric."""
WITHOUT_EFFECT = (
    *("trainer.accelerator", "trainer.devices", "trainer.num_nodes", "callbacks.progress", "logger"),
    *("data.root", "data.num_workers", "name", "objective", "resume", "hydra"),
)
"""Beginnings of keys that change no result."""


@dataclass(frozen=True)
class Run:
    """One run folder."""

    name: str
    folder: RunFolder
    config: dict[str, Any] = field(repr=False)
    summary: dict[str, Any] = field(repr=False)
    refusal: dict[str, Any] = field(repr=False)
    overrides: dict[str, str]
    """What was typed for it, by key."""
    choices: dict[str, str | None] = field(repr=False)
    """Of the groups, by their names."""

    @property
    def ended(self) -> bool:
        """Whether it has nothing left to do, and so a result."""
        return self.summary.get("status") in ENDED

    @property
    def status(self) -> str:
        """As in its summary; "refused" of a run that has not begun; "died" where that says running and nobody is."""
        if self.ended:
            return self.summary["status"]
        status = self.refusal.get("status") or self.summary.get("status", "died")
        return "died" if status == "running" and not self.folder.is_locked() else status

    @property
    def reason(self) -> str | None:
        """Why it did not end well; of one that has ended, why another in its place was refused."""
        reason = self.refusal.get("reason") or self.summary.get("reason")
        return f"another in its place was refused: {reason}" if self.ended and reason else reason

    @property
    def seed(self) -> int | None:
        return self.config.get("seed")

    def value(self, key: str) -> Any:
        """What the run had for a key: of its configuration, or for a group the name of the choice."""
        return value_at(self.config, key, self.overrides | self.choices)

    def metric(self, name: str) -> float | None:
        """The last value of a logged metric."""
        value = (self.summary.get("final") or {}).get(name)
        return value if value is not None and math.isfinite(value) else None

    @cached_property
    def curves(self) -> dict[str, Series]:
        """Every metric that it logged to TensorBoard or to CSV files."""
        return _tensorboard_series(self.folder.path) or _csv_series(self.folder.path)

    def samples(self) -> Path | None:
        """Its last grid of samples."""
        return max(self.folder.samples.glob("step_*.png"), default=None)


def find(folder: str | Path) -> list[Run]:
    """The runs below a folder, in the order of their names.

    Raises:
        UserError: there are none.
    """
    root = Path(folder)
    places = sorted(
        {path.parent for name in ("summary", "refused") for path in root.rglob(f"{name}.json")},
        key=lambda path: _natural_key(str(path)),
    )
    if not places:
        raise UserError(f"{root}: no run folders (with a summary.json) are in it")
    return [_read(place, root) for place in places]


def _read(place: Path, root: Path) -> Run:
    folder = RunFolder(place)
    composed = place / ".hydra" / "config.yaml"  # of a job that could not start
    configs = [yaml.safe_load(path.read_text()) for path in (folder.config, composed) if path.exists()]
    typed, hydra = (place / ".hydra" / f"{name}.yaml" for name in ("overrides", "hydra"))
    lines = yaml.safe_load(typed.read_text()) if typed.exists() else []
    overrides = {key: value for key, _, value in (line.lstrip("+~").partition("=") for line in lines)}
    choices = yaml.safe_load(hydra.read_text())["hydra"]["runtime"]["choices"] if hydra.exists() else {}
    name = str(place.relative_to(root)) if place != root else place.name
    config = configs[0] if configs else {}
    return Run(name, folder, config, folder.read_summary(), folder.read_refusal(), overrides, choices)


def varied(runs: Sequence[Run]) -> list[str]:
    """The keys of the command line in which the runs differ, in the order they were typed in.

    The seed is none, and neither is what changes no result.
    """
    keys = dict.fromkeys(key for run in runs for key in run.overrides if not key.startswith(WITHOUT_EFFECT))
    return [key for key in keys if key != "seed" and len({as_text(run.value(key)) for run in runs}) > 1]


def objective_of(runs: Iterable[Run], requested: str | None = None, planned: str | None = None) -> str | None:
    """The metric that the runs are compared by: what is asked for, or the sweep's or their own one, or metric/fid.

    Raises:
        UserError: no run has what is asked for.
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
    """A value as one would type it."""
    if isinstance(value, list):
        return f"[{','.join(map(as_text, value))}]"
    return value if isinstance(value, str) else json.dumps(value)


def rounded(value: float, digits: int = 4) -> str:
    """A number with so many digits; an exponent only where it is very large or small."""
    return f"{float(f'{value:.{digits}g}'):.10g}"


def display_text(text: str) -> str:
    """The text of a value as people like to read it: of a number with a point or an exponent, four digits."""
    try:
        return text if text.isdigit() else rounded(float(text))
    except ValueError:
        return text


def _natural_key(text: str) -> list[Any]:
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", text) if part]


def _tensorboard_series(folder: Path) -> dict[str, Series]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logging.getLogger("tensorboard").setLevel(logging.ERROR)  # it tells of every end of a file
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
    """Of several values for a batch, which a run that was killed and went on has logged again, the last."""
    return sorted(dict(series).items())
