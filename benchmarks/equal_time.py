"""How good is each method after equal time, on pictures of 32x32? A table for each data set, and a sheet of samples.

python benchmarks/equal_time.py --mnist path/to/data --pictures path/to/cifar10_images --jobs 2 --minutes 5
Two short runs of each measure how many batches fit into so many minutes of one core, whatever else runs; the runs then
have that number of batches. Runs that are in the folder already are not trained again.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
from pathlib import Path

from runs import Metrics, at_a_time, command, measured, train
from sheets import sheet
from tables import cell, head, row

from gan_lightning.training.run_folder import RunFolder

DATA = {
    "mnist": ("data=mnist", "data.image_shape=[1,32,32]"),
    "pictures": ("data=image_folder", "data.image_shape=[3,32,32]"),
}
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
TRIALS = (20, 120)
"""The batches of the two runs that measure the time of one: the start of a run takes time, too."""
SHOWN = ("fid", "class_coverage", "coverage")


def chosen(title: str, data: str, options: argparse.Namespace) -> tuple[str, ...]:
    return (*ROWS[title], *DATA[data], f"data.root={getattr(options, data)}")


def folder_of(title: str, data: str, name: str, options: argparse.Namespace) -> Path:
    return options.out / data / f"{title.replace(', ', '_')}_{name}"


def batches(job: tuple[str, str], options: argparse.Namespace) -> int:
    """The batches that a run takes in its time, without evaluations, by the processor's time of one thread."""
    file = folder_of(*job, "batches.txt", options)
    if not file.exists():
        few, many = (_processor_seconds(folder_of(*job, f"trial_{n}", options), n, job, options) for n in TRIALS)
        file.write_text(str(round(60 * (TRIALS[1] - TRIALS[0]) / (many - few))))
    return round(options.minutes * int(file.read_text()))


def _processor_seconds(folder: Path, steps: int, job: tuple[str, str], options: argparse.Namespace) -> float:
    shutil.rmtree(folder, ignore_errors=True)  # of a trial that was interrupted
    line = command(folder, (*chosen(*job, options), f"trainer.max_steps={steps}", "callbacks.samples=null"))
    pid = os.posix_spawn(line[0], line, os.environ | {"OMP_NUM_THREADS": "1"})
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"the trial in {folder} failed")
    return usage.ru_utime + usage.ru_stime


def evaluated(title: str, data: str, seed: int, steps: int, options: argparse.Namespace) -> Metrics:
    """The metrics at the end of one run; it is trained where it is not there yet."""
    folder = folder_of(title, data, f"{options.minutes:g}_{seed}", options)
    length = (f"trainer.max_steps={steps}", "callbacks.evaluation.every_n_steps=null", "metrics=classifier")
    train(folder, (*chosen(title, data, options), *length, f"seed={seed}"), options.jobs)
    return measured(folder, "fid")[-1] | {"images": RunFolder(folder).read_summary()["images_seen"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", type=Path, help="a folder that holds MNIST/raw/")
    parser.add_argument(
        "--pictures", type=Path, help="a folder of pictures, with train/ and test/, and classes in each"
    )
    parser.add_argument("--minutes", type=float, default=5, help="of each run")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, which share the cores")
    parser.add_argument("--out", type=Path, default=Path("logs/equal_time"))
    parser.add_argument("--picture", type=Path, help="where to write a sheet of the first seed's last samples")
    options = parser.parse_args()
    sets = [data for data in DATA if getattr(options, data)]
    jobs = [(title, data) for data in sets for title in options.rows]
    steps = at_a_time(options.jobs, lambda job: batches(job, options), jobs)
    plan = [(*job, seed) for seed in range(options.seeds) for job in jobs]
    runs = at_a_time(options.jobs, lambda job: evaluated(*job, steps[job[:2]], options), plan)
    for data in sets:
        lines = []
        for title in options.rows:
            found = [runs[title, data, seed] for seed in range(options.seeds)]
            cells = [cell([metrics[name] for metrics in found]) for name in (*SHOWN, "images")]
            lines.append((statistics.mean(metrics["fid"] for metrics in found), row([f"`{title}`", *cells])))
        print(head([data, *SHOWN, "images"]))
        print("\n".join(line for _, line in sorted(lines)), end="\n\n")
    if options.picture:
        first = {", ".join(job): folder_of(*job, f"{options.minutes:g}_0", options) for job in jobs}
        grids = {name: max(folder.glob("samples/step_*.png")) for name, folder in first.items()}
        sheet(grids, len(options.rows), (190, 156)).save(options.picture, optimize=True)


if __name__ == "__main__":
    main()
