"""How good is each method after equal time, on pictures of 32x32? A table for each data set, and a sheet of samples.

python benchmarks/equal_time.py --root path/to/data --jobs 2 --minutes 40 --data mnist cifar10
Runs that are in the folder already are not trained again.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from runs import Metrics, at_a_time, measured, train
from sheets import sheet
from tables import cell, head, row

from gan_lightning.training.run_folder import RunFolder

SHAPES = {"mnist": "[1,32,32]", "cifar10": "[3,32,32]"}
DCGAN = ("network=dcgan", "data.batch_size=64")
ROWS = {
    "gan_r1": ("model=gan_r1", *DCGAN),
    "gan_r1, bcr": ("model=gan_r1", "model/penalties=[r1,bcr]", *DCGAN),
    "san, r1": ("model=san", "model/penalties=r1", *DCGAN),
    "gan_r1, top-k": ("model=gan_r1", "model/loss=top_k", *DCGAN),
    "r3gan": ("model=r3gan", "network=r3gan", "data.batch_size=64"),
    "stylegan2_small": ("experiment=stylegan2_small",),
    "biggan_small": ("experiment=biggan_small",),
}
TRIAL = 200
"""The batches of the run that measures the time of one."""
SHOWN = ("fid", "class_coverage", "coverage")


def chosen(title: str, data: str, options: argparse.Namespace) -> tuple[str, ...]:
    return (*ROWS[title], f"data={data}", f"data.image_shape={SHAPES[data]}", f"data.root={options.root}")


def folder_of(title: str, data: str, name: str, options: argparse.Namespace) -> Path:
    return options.out / data / f"{title.replace(', ', '_')}_{name}"


def batches(job: tuple[str, str], options: argparse.Namespace) -> int:
    """The batches that a run takes in its time, after a short one without evaluations."""
    folder = folder_of(*job, "trial", options)
    train(folder, (*chosen(*job, options), f"trainer.max_steps={TRIAL}"), options.jobs)
    return round(60 * options.minutes * TRIAL / RunFolder(folder).read_summary()["seconds"])


def evaluated(title: str, data: str, seed: int, steps: int, options: argparse.Namespace) -> Metrics:
    """The metrics at the end of one run; it is trained where it is not there yet."""
    folder = folder_of(title, data, f"{options.minutes:g}_{seed}", options)
    length = (f"trainer.max_steps={steps}", "callbacks.evaluation.every_n_steps=null", "metrics=classifier")
    train(folder, (*chosen(title, data, options), *length, f"seed={seed}"), options.jobs)
    summary = RunFolder(folder).read_summary()
    return measured(folder, "fid")[-1] | {"batches": summary["step"], "minutes": summary["seconds"] / 60}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--root", default="data", help="holds MNIST/raw/ and cifar-10-batches-py/")
    parser.add_argument("--minutes", type=float, default=40, help="of each run")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, which share the cores")
    parser.add_argument("--out", type=Path, default=Path("logs/equal_time"))
    parser.add_argument("--picture", type=Path, help="where to write a sheet of the first seed's last samples")
    options = parser.parse_args()
    jobs = [(title, data) for data in options.data for title in options.rows]
    steps = at_a_time(options.jobs, lambda job: batches(job, options), jobs)
    plan = [(*job, seed) for seed in range(options.seeds) for job in jobs]
    runs = at_a_time(options.jobs, lambda job: evaluated(*job, steps[job[:2]], options), plan)
    for data in options.data:
        lines = []
        for title in options.rows:
            found = [runs[title, data, seed] for seed in range(options.seeds)]
            cells = [cell([metrics[name] for metrics in found]) for name in (*SHOWN, "batches", "minutes")]
            lines.append((statistics.mean(metrics["fid"] for metrics in found), row([f"`{title}`", *cells])))
        print(head([data, *SHOWN, "batches", "minutes"]))
        print("\n".join(line for _, line in sorted(lines)), end="\n\n")
    if options.picture:
        first = {", ".join(job): folder_of(*job, f"{options.minutes:g}_0", options) for job in jobs}
        grids = {name: max(folder.glob("samples/step_*.png")) for name, folder in first.items()}
        sheet(grids, len(options.rows), (156, 156)).save(options.picture, optimize=True)


if __name__ == "__main__":
    main()
