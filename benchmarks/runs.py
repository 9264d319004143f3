"""Runs of train.py for tables: trained once, several at a time, read from their CSV files."""

from __future__ import annotations

import csv
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import OmegaConf

from gan_lightning.config.options import conf_folder, options
from gan_lightning.sweeps import race_record
from gan_lightning.sweeps.race_record import Race
from gan_lightning.training.run_folder import ENDED, RunFolder

PROJECT = Path(__file__).resolve().parent.parent
QUIET = ("callbacks.progress=null", "callbacks.video=null", "logger=csv")
Metrics = dict[str, float]
Job = TypeVar("Job")
Found = TypeVar("Found")


def variants() -> dict[str, bool]:
    """Every `model=` in conf/, and whether it is conditional; without density_matching, which is for numbers."""
    found = {}
    for name in options("model"):
        model: Any = OmegaConf.load(conf_folder() / "model" / f"{name}.yaml")
        found[name] = bool(model.get("conditional"))
    del found["density_matching"]
    return found


def train(folder: Path, overrides: Iterable[str], jobs: int = 1) -> None:
    """Trains into `folder`, unless that is done already; on its share of the cores, if OMP_NUM_THREADS is not set."""
    if RunFolder(folder).read_summary().get("status") in ENDED:
        return
    line = command(folder, overrides)
    threads = {"OMP_NUM_THREADS": str(max((os.cpu_count() or 1) // jobs, 1))}
    done = subprocess.run(line, env=threads | os.environ, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(line)} failed:\n{done.stderr}")
    print(f"{folder.name}: trained", file=sys.stderr)


def command(folder: Path, overrides: Iterable[str]) -> list[str]:
    """The command that trains into `folder`."""
    return [sys.executable, str(PROJECT / "train.py"), *overrides, *QUIET, f"hydra.run.dir={folder}"]


def measured(folder: Path, metric: str) -> list[Metrics]:
    """The metrics `metric/*` of every evaluation of a run that has `metric`, in their order."""
    (table,) = folder.rglob("metrics.csv")
    with table.open() as lines:
        rows = [row for row in csv.DictReader(lines) if row.get(f"metric/{metric}")]
    prefix = "metric/"
    return [{name.removeprefix(prefix): float(row[name]) for name in row if name.startswith(prefix)} for row in rows]


def at_a_time(jobs: int, work: Callable[[Job], Found], plan: Sequence[Job]) -> dict[Job, Found]:
    """What `work` finds for each of the plan, so many at a time."""
    with ThreadPoolExecutor(jobs) as pool:
        return dict(zip(plan, pool.map(work, plan), strict=True))


def race(folder: Path, overrides: Iterable[str], jobs: int = 1) -> Race:
    """The record of a sweep=race or sweep=gamma in `folder`, which is held where it has no winner yet."""
    found = race_record.read(folder)
    if found is None or found.winner is None:
        several = ("hydra/launcher=joblib", f"hydra.launcher.n_jobs={jobs}") if jobs > 1 else ()
        command = [sys.executable, str(PROJECT / "train.py"), *overrides, *QUIET, *several, f"hydra.sweep.dir={folder}"]
        if subprocess.run(command).returncode:
            raise SystemExit(f"{' '.join(command)} failed")
        found = race_record.read(folder)
    assert found is not None
    return found


def figures(found: Race) -> dict[str, float]:
    """What the candidates of a race have reached at the end of its last rung, by their overrides; without failures."""
    results = {shlex.join(found.candidates[name].overrides): r.objective for name, r in found.rungs[-1].items()}
    return {text: figure for text, figure in results.items() if figure is not None}
