"""The answer of many runs: `python -m gan_lightning.sweeps FOLDER`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gan_lightning.errors import UserError
from gan_lightning.sweeps import page, table
from gan_lightning.sweeps.collect import find, objective_of, varied


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; exits with code 1 and one message on a user's mistake."""
    parser = argparse.ArgumentParser(
        prog="gan-results",
        description="Compares the runs below a folder: a table sorted by the objective, results.csv and results.html.",
    )
    parser.add_argument("folder", help="a sweep's folder, or any folder of run folders")
    parser.add_argument("--objective", help="a logged metric, such as metric/fid (the runs' own objective)")
    options = parser.parse_args(arguments)
    try:
        answer(Path(options.folder), options.objective)
    except (UserError, OSError) as error:
        sys.exit(f"error: {error}")


def answer(folder: Path, asked: str | None = None) -> bool:
    """Prints the table and writes `results.csv` and `results.html`; returns whether every run has ended well."""
    runs = find(folder)
    file = folder / "sweep.json"
    plan: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {"jobs": 0, "objective": None}
    keys, objective = varied(runs), objective_of(runs, asked, plan["objective"])
    groups = table.grouped(runs, keys, objective)
    print("\n".join(table.lines_of(groups, objective)))
    table.write_csv(runs, keys, objective, folder / "results.csv")
    page.write(f"Results of {folder}", groups, objective, folder / "results.html")
    print(f"{os.path.relpath(folder)}/results.html, results.csv; tensorboard --logdir {os.path.relpath(folder)}")
    missing = max(plan["jobs"] - len(runs), 0)
    if missing:
        print(f"{missing} of {plan['jobs']} jobs were not begun")
    return not missing and all(run.ended and not run.refusal for run in runs)


if __name__ == "__main__":
    main()
