"""The runs below a folder, and the configuration keys in which they differ."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gan_lightning.config.instantiate import value_at
from gan_lightning.errors import UserError
from gan_lightning.files import own_file
from gan_lightning.metric_names import METRICS
from gan_lightning.schedules import by_run
from gan_lightning.training.run_folder import ENDED, ORIGIN, RunFolder
from gan_lightning.visualization.curves import Series, natural_key, read_curves
from gan_lightning.yaml_file import read_yaml

UNREADABLE = "unreadable"
"""The status of a run folder whose files are damaged."""
MOST = 6
"""The largest number of metrics that the results show where there is no objective."""
WITHOUT_EFFECT = (
    *("trainer.accelerator", "trainer.devices", "trainer.num_nodes", "callbacks.progress", "logger"),
    *("data.root", "data.num_workers", "data.gpu_memory_fraction", "name", "objective", "resume", "hydra"),
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
    typed: list[str] = field(repr=False)
    """The overrides of its command line."""
    choices: dict[str, str | None] = field(repr=False)
    """The chosen option of each configuration group."""
    curves: dict[str, Series] = field(repr=False)
    """Every metric that the run logged to TensorBoard or to CSV files."""

    @property
    def ended(self) -> bool:
        """Whether the run has ended, so that its metrics are final."""
        return self.summary.get("status") in ENDED

    @property
    def status(self) -> str:
        """Its status in summary.json; "refused" if it could not start; "unreadable" if its files are damaged; "died" if
        the status is running but no process is.
        """
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
    def diagnosis(self) -> str:
        """The states that its doctor has found, the gravest first; an empty text without a doctor."""
        found = (self.summary.get("doctor") or {}).get("findings", [])
        return ", ".join(f"{finding['title']} since batch {finding['since']:,}" for finding in found)

    @property
    def has_problem(self) -> bool:
        """Whether its doctor advises to change something."""
        return any(finding.get("advice") for finding in (self.summary.get("doctor") or {}).get("findings", []))

    @property
    def overrides(self) -> dict[str, str]:
        """The overrides of its command line, by key."""
        return {key: value for key, _, value in (line.lstrip("+~").partition("=") for line in self.typed)}

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

    def result(self, metric: str | None) -> float | None:
        """The last value of a logged metric, if the run has ended, else None."""
        return self.metric(metric) if metric is not None and self.ended else None

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
        key=lambda path: natural_key(str(path)),
    )
    if not places:
        raise UserError(f"{root}: it contains no run folders (with a summary.json)")
    return [_read_or_report(place, root) for place in places]


def _read_or_report(place: Path, root: Path) -> Run:
    """Reads a run folder that may come from others; the reason why it cannot be read does not end the comparison."""
    try:
        for name in ("summary.json", "refused.json", "config.yaml", ".hydra/*.yaml"):
            for path in place.glob(name):
                own_file(path, place)
        run = _read(place, root)
        _require_types(run)
        return run
    except Exception as error:  # damaged files raise many types of errors
        reason = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        return Run(_name(place, root), RunFolder(place), {}, {}, {"status": UNREADABLE, "reason": reason}, [], {}, {})


def _require_types(run: Run) -> None:
    """Raises a UserError if a value that the table or the page shows is of another type than a run writes."""
    account, refusal, config = run.summary, run.refusal, run.config
    if not isinstance(run.choices, dict):
        raise UserError(f"{run.folder.path}: its choices of groups are {run.choices!r:.100}")
    if not all(isinstance(line, str) for line in run.typed):
        raise UserError(f"{run.folder.path}: its overrides are {run.typed!r:.100}")
    by_run((config.get("model") or {}).get("schedules"))  # which the commands of the best run read
    counts = {"step": account.get("step"), "seed": config.get("seed"), "images_seen": account.get("images_seen")}
    times, values = {"seconds": account.get("seconds")}, {"objective": account.get("objective")}
    texts = {"status": run.status, "objective": config.get("objective"), "reason": account.get("reason")}
    texts["diagnosis"] = run.diagnosis
    texts["reason in refused.json"] = refusal.get("reason")
    for kind, found, largest in (
        (int, counts, 1e13),
        (int | float, times, 1e13),
        (int | float, values | (account.get("final") or {}), 1e100),  # squares of which are still numbers
        (str, texts, 0),
    ):
        for name, value in found.items():
            too_large = isinstance(value, int | float) and abs(value) > largest
            if value is not None and (too_large or not isinstance(value, kind)):
                raise UserError(f"{run.folder.path}: its {name} is {value!r:.100}")


def _name(place: Path, root: Path) -> str:
    return str(place.relative_to(root)) if place != root else place.name


def _read(place: Path, root: Path) -> Run:
    folder = RunFolder(place)
    refusal = folder.read_refusal()
    if not folder.config.exists():  # a job that could not start
        config, lines, choices = refusal.get("config", {}), refusal.get("overrides", []), refusal.get("choices", {})
    else:
        typed, hydra = (place / ORIGIN / f"{name}.yaml" for name in ("overrides", "hydra"))
        config = folder.read_config()
        lines = read_yaml(typed, list) if typed.exists() else []
        choices = read_yaml(hydra, dict)["hydra"]["runtime"]["choices"] if hydra.exists() else {}
    return Run(_name(place, root), folder, config, folder.read_summary(), refusal, lines, choices, read_curves(place))


def varied(runs: Sequence[Run]) -> list[str]:
    """The keys of the command line in which the runs differ, in their order there.

    The seed and the keys that change no result are left out, and so are runs that cannot be read.
    """
    runs = [run for run in runs if run.status != UNREADABLE]
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


def ranked(runs: Iterable[Run], objective: str | None) -> list[Run]:
    """The runs in the order of their objective, best first; then those without a result. Ties keep their order."""
    return sorted(runs, key=lambda run: rank(run.result(objective), objective))


def rank(result: float | None, objective: str | None) -> float:
    """The key by which results are sorted, best first; those that are None come last."""
    if result is None:
        return math.inf
    return -result if objective is not None and is_better_high(objective) else result


def compared(runs: Iterable[Run], objective: str | None) -> list[str]:
    """The metrics that the results show: the objective; without one, those of an evaluation and both losses.

    Of runs that have logged none of them it is all that they have logged, `MOST` at most.
    """
    if objective is not None:
        return [objective]
    known = dict.fromkeys(name for run in runs for name in run.summary.get("final") or {})
    shown = [name for kind in ("metric/", "loss/") for name in known if name.startswith(kind)]
    return (shown or list(known))[:MOST]


def as_text(value: Any) -> str:
    """A value as it is written on the command line."""
    if isinstance(value, list):
        return f"[{','.join(map(as_text, value))}]"
    return value if isinstance(value, str) else json.dumps(value, default=str)


def rounded(value: float, digits: int = 4) -> str:
    """A number with `digits` significant digits; with an exponent only if it is very large or small."""
    return f"{float(f'{value:.{digits}g}'):.10g}"


def display_text(text: str) -> str:
    """The text of a value for tables: numbers that are not integers have four significant digits."""
    try:
        return text if text.isdigit() else rounded(float(text))
    except ValueError:
        return text
