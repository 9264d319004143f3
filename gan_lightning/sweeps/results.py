"""The results of a sweep, or of any folder of runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from gan_lightning.errors import UserError
from gan_lightning.files import own_file
from gan_lightning.sweeps import page, race_record, reproduction, standings, table
from gan_lightning.sweeps.best import best_of
from gan_lightning.sweeps.collect import find, objective_of, varied
from gan_lightning.sweeps.race_record import LENGTHS
from gan_lightning.terminal import printable


def write_results(folder: Path, objective: str | None = None) -> bool:
    """Prints the table and the best setting, and writes `results.csv` and `results.html`.

    Of runs of `conf/reproduce/`, it also prints and writes the published figures beside ours; of a race, its answer.

    Args:
        folder: The folder that contains the run folders.
        objective: The logged metric to compare by; None: the sweep's own one.

    Returns:
        Whether every planned run has ended without an error; of a race, whether it has a winner.

    Raises:
        UserError: There are no run folders, or no run logged the objective.
    """
    runs = find(folder)
    plan = _plan(folder / "sweep.json")
    race = race_record.read(folder)
    keys, objective = varied(runs), objective_of(runs, objective, plan["objective"])
    if race is not None:  # how far a candidate got is what the race found, not what it is
        keys = [key for key in keys if key not in LENGTHS]
    groups = table.grouped(runs, keys, objective)
    if race is not None:  # a candidate that was dropped may have been better earlier than others are later
        groups.sort(key=lambda group: -max(race.rung_of(run.name) for run in group.runs))
    best = best_of(groups, objective)
    print("\n".join(table.lines_of(groups)))
    if objective is None:
        print(printable(table.unsorted(folder, groups)))
    if best is not None:
        lines = [f"best: {best.result}", *(f"  {purpose}: {command}" for purpose, command in best.commands.items())]
        print("\n".join(map(printable, lines)))
    if race is not None:
        print("\n".join(map(printable, standings.answer(race))))
    table.write_csv(runs, keys, objective, folder / "results.csv")
    published = reproduction.rows_of(runs)
    if published:
        reproduction.write(published, folder)
    page.write(f"Results of {folder}", runs, groups, objective, best, folder / "results.html", published, race)
    place = printable(os.path.relpath(folder))
    print(f"{place}/results.html, results.csv; tensorboard --logdir {place}")
    missing = max(plan["jobs"] - len(runs), 0)
    if missing:
        print(f"{missing} of {plan['jobs']} jobs were not started")
    if race is not None:
        return race.winner is not None
    return not missing and all(run.ended and not run.refusal for run in runs)


def _plan(file: Path) -> dict[str, Any]:
    """The number of jobs and the objective that a sweep has planned; in another folder of runs none.

    Raises:
        UserError: The file is damaged.
    """
    if not file.exists():
        return {"jobs": 0, "objective": None}
    try:
        plan = json.loads(own_file(file, file.parent).read_text())
        if isinstance(plan["jobs"], int) and isinstance(plan["objective"], str | None):
            return plan
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise UserError(f"{file} is damaged. Delete it: it has only the number of jobs and the objective of the sweep")
