"""How good is each variant on the same networks after equal numbers of images? A table: best and last.

python benchmarks/variants.py --root path/to/data --jobs 2                        # MNIST; vanilla_mnist to compare with
python benchmarks/variants.py --root path/to/data --jobs 2 --data stacked_mnist    # modes of 1,000
Runs that are in the folder already are not trained again.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tables import cell, head, row

from gan_lightning.files import RunFolder

PROJECT = Path(__file__).resolve().parent.parent
BATCH = 64
SMALL_DCGAN = ("network=dcgan", f"data.batch_size={BATCH}")
ROWS = {
    "vanilla_mnist": ("experiment=vanilla_mnist",),
    **{
        name: (f"model={name}", *SMALL_DCGAN)
        for name in (
            *("dcgan", "minimax", "simultaneous", "lsgan", "wgan", "wgan_gp", "dragan", "gan_r1", "hinge", "sngan"),
            *("relativistic", "r3gan", "infogan", "cgan", "acgan", "projection", "matching_aware"),
        )
    },
    "dcgan, lecam": ("model=dcgan", "regulariser=lecam", *SMALL_DCGAN),
    "began": ("model=began", f"data.batch_size={BATCH}"),  # its discriminator is an autoencoder
}
STACKED = ("dcgan", "wgan_gp", "r3gan")
"""What is compared on stacked MNIST."""
MATRIX = {"mnist": ("fid", "class_coverage", "coverage"), "stacked_mnist": ("modes", "class_kl", "fid")}
"""The figures shown of each data set."""


def evaluations(title: str, seed: int, options: argparse.Namespace) -> list[dict[str, float]]:
    """The evaluations of one run, in their order; trained where it is not there yet."""
    folder = options.out / options.data / f"{title.replace(', ', '_')}_{options.images}_{seed}"
    if RunFolder(folder).read_summary().get("status") != "finished":
        steps = options.images // BATCH
        command = [sys.executable, str(PROJECT / "train.py"), *ROWS[title], f"data={options.data}", f"seed={seed}"]
        command += [f"data.root={options.root}", f"trainer.max_steps={steps}", "metrics=classifier", "logger=csv"]
        command += [f"callbacks.evaluation.every_n_steps={-(-steps // options.evaluations)}"]
        command += ["callbacks.progress=null", "callbacks.film=null", f"hydra.run.dir={folder}"]
        threads = max((os.cpu_count() or 1) // options.jobs, 1)
        done = subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": str(threads)}, capture_output=True)
        if done.returncode:
            raise SystemExit(f"{title}, seed {seed}, failed:\n{done.stderr.decode()}")
        print(f"{title}, seed {seed}: trained", file=sys.stderr)
    (table,) = folder.rglob("metrics.csv")
    with table.open() as lines:
        found = [line for line in csv.DictReader(lines) if line.get("metric/fid")]
    prefix = "metric/"
    return [{k.removeprefix(prefix): float(v) for k, v in line.items() if k.startswith(prefix)} for line in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=MATRIX, default="mnist")
    parser.add_argument("--root", default="data", help="holds MNIST/raw/")
    parser.add_argument("--images", type=int, default=120_000, help="that each run is trained on")
    parser.add_argument("--evaluations", type=int, default=4, help="of each run, at equal distances")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", nargs="+", choices=ROWS, help="default: all of MNIST's, three of stacked MNIST's")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, which share the cores")
    parser.add_argument("--out", type=Path, default=Path("logs/variants"))
    options = parser.parse_args()
    titles = options.rows or (list(ROWS) if options.data == "mnist" else STACKED)
    with ThreadPoolExecutor(options.jobs) as pool:
        plan = [(title, seed) for seed in range(options.seeds) for title in titles]
        runs = dict(zip(plan, pool.map(lambda job: evaluations(job[0], job[1], options), plan), strict=True))
    shown = MATRIX[options.data]
    better = max if shown[0] == "modes" else min
    lines = []
    for title in titles:
        found = [runs[title, seed] for seed in range(options.seeds)]
        best = [better(run, key=lambda figures: figures[shown[0]]) for run in found]
        last = [run[-1] for run in found]
        cells = [cell([figures[name] for figures in side]) for side in (best, last) for name in shown]
        lines.append((better(figures[shown[0]] for figures in best), row([f"`{title}`", *cells])))
    print(head(["", *(f"{side} {name}" for side in ("best", "last") for name in shown)]))
    print("\n".join(line for _, line in sorted(lines, reverse=better is max)))


if __name__ == "__main__":
    main()
