"""Does a rollback save a run whose modes collapse? The same runs with on_collapse=warn and on_collapse=rollback.

python benchmarks/rollback.py --jobs 2
Runs that are in the folder already are not trained again.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from doctor import DATA, PROVOKED
from runs import at_a_time, train
from tables import cell, head, row

from gan_lightning.training.run_folder import RunFolder

SHOWN = ("fid", "class_coverage", "coverage")


def ended(data: str, on_collapse: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """The summary of a run; it is trained where it is not there yet."""
    folder = options.out / f"{data}_{on_collapse}_{seed}"
    doctor = ("callbacks.doctor.every_n_updates=100", f"callbacks.doctor.on_collapse={on_collapse}")
    length = (f"trainer.max_steps={options.steps}", "callbacks.checkpoints.every_n_steps=100", f"seed={seed}")
    metrics = ("metrics=classifier", "callbacks.evaluation.every_n_steps=null")
    train(folder, (*PROVOKED["collapse"], *DATA[data], *doctor, *length, *metrics), options.jobs)
    return RunFolder(folder).read_summary()


def cells(data: str, on_collapse: str, runs: list[dict[str, Any]]) -> list[str]:
    """A row of the table; the metrics are those of the runs that went on to the end."""
    collapsed = sum(any(finding["state"] == "collapse" for finding in run["doctor"]["findings"]) for run in runs)
    back = sum(len(run["doctor"]["rollbacks"]) for run in runs)
    ended = [run["final"] for run in runs if run["status"] == "finished"]
    figures = [cell([final[f"metric/{name}"] for final in ended]) for name in SHOWN]
    return [data, on_collapse, *(str(count) for count in (len(runs), back, collapsed, len(ended))), *figures]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3000, help="batches of each run")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, which share the cores")
    parser.add_argument("--out", type=Path, default=Path("logs/rollback"))
    options = parser.parse_args()
    pairs = [(data, on_collapse) for data in options.data for on_collapse in ("warn", "rollback")]
    plan = [(*pair, seed) for seed in range(options.seeds) for pair in pairs]
    found = at_a_time(options.jobs, lambda job: ended(*job, options), plan)
    print(head(["data", "on_collapse", "runs", "rollbacks", "collapsed at the end", "not stopped", *SHOWN]))
    for pair in pairs:
        print(row(cells(*pair, [found[(*pair, seed)] for seed in range(options.seeds)])))


if __name__ == "__main__":
    main()
