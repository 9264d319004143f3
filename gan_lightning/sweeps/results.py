"""The results of a sweep, or of any folder of runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from gan_lightning.sweeps import page, table
from gan_lightning.sweeps.collect import find, objective_of, varied


def write_results(folder: Path, objective: str | None = None) -> bool:
    """Prints the table and writes `results.csv` and `results.html`.

    Args:
        folder: The folder that contains the run folders.
        objective: The logged metric to compare by; None: the sweep's own one.

    Returns:
        Whether every planned run has ended without an error.

    Raises:
        UserError: There are no run folders, or no run logged the objective.
    """
    runs = find(folder)
    file = folder / "sweep.json"
    plan: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {"jobs": 0, "objective": None}
    keys, objective = varied(runs), objective_of(runs, objective, plan["objective"])
    groups = table.grouped(runs, keys, objective)
    print("\n".join(table.lines_of(groups, objective)))
    table.write_csv(runs, keys, objective, folder / "results.csv")
    page.write(f"Results of {folder}", groups, objective, folder / "results.html")
    print(f"{os.path.relpath(folder)}/results.html, results.csv; tensorboard --logdir {os.path.relpath(folder)}")
    missing = max(plan["jobs"] - len(runs), 0)
    if missing:
        print(f"{missing} of {plan['jobs']} jobs were not started")
    return not missing and all(run.ended and not run.refusal for run in runs)
