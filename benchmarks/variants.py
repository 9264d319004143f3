"""How good is each variant on the same networks after as many updates of G as its method needs? A table: best and last.

python benchmarks/variants.py --root path/to/data --jobs 2                        # MNIST; vanilla_mnist to compare with
python benchmarks/variants.py --root path/to/data --jobs 2 --data stacked_mnist    # modes of 1,000
Runs that are in the folder already are not trained again.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from runs import Metrics, at_a_time, measured, train, variants
from sheets import sheet
from tables import cell, head, row

from gan_lightning.config.options import conf_folder
from gan_lightning.training.run_folder import RunFolder

BATCH = 64
SMALL_DCGAN = ("network=dcgan", f"data.batch_size={BATCH}")
ROWS = {
    "vanilla_mnist": ("experiment=vanilla_mnist",),
    # With these networks, gan is dcgan.
    **{name: (f"model={name}", *SMALL_DCGAN) for name in variants() if name not in ("gan", "began")},
    "dcgan, lecam": ("model=dcgan", "regularizer=lecam", *SMALL_DCGAN),
    # Their networks are BEGAN's own: D is an autoencoder.
    "began": ("model=began", f"data.batch_size={BATCH}"),
    "began, quicker": (
        "model=began",
        f"data.batch_size={BATCH}",
        "model.optimizer.lr=5e-4",
        "model.loss.lambda_k=1e-2",
    ),
    "wgan, quicker": ("model=wgan", "model.optimizer.lr=5e-4", *SMALL_DCGAN),
}
UPDATES = 4000
"""The updates of G in a run; with n_critic=5, D has five times as many."""
STACKED = ("dcgan", "wgan_gp", "r3gan")
"""What is compared on stacked MNIST."""
SHOWN = {"mnist": ("fid", "class_coverage", "coverage"), "stacked_mnist": ("modes", "class_kl", "fid")}
"""The metrics shown of each data set."""


def folder_of(title: str, seed: int, options: argparse.Namespace) -> Path:
    return options.out / options.data / f"{title.replace(', ', '_')}_{options.updates}_{seed}"


def batches(title: str, updates: int) -> int:
    """The batches of a run with so many updates of G."""
    chosen = next(value for value in ROWS[title] if value.startswith(("model=", "experiment="))).split("=")
    config: Any = OmegaConf.load(conf_folder() / chosen[0] / f"{chosen[1]}.yaml")
    return updates * config.get("n_critic", 1)


def evaluations(title: str, seed: int, options: argparse.Namespace) -> list[Metrics]:
    """Those of one run, in their order; it is trained where it is not there yet."""
    folder = folder_of(title, seed, options)
    steps = batches(title, options.updates)
    length = (f"trainer.max_steps={steps}", f"callbacks.evaluation.every_n_steps={-(-steps // options.evaluations)}")
    data = (f"data={options.data}", f"data.root={options.root}", "metrics=classifier", f"seed={seed}")
    train(folder, (*ROWS[title], *data, *length), options.jobs)
    minutes = RunFolder(folder).read_summary()["seconds"] / 60
    return [metrics | {"minutes": minutes} for metrics in measured(folder, "fid")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=SHOWN, default="mnist")
    parser.add_argument("--root", default="data", help="holds MNIST/raw/")
    parser.add_argument("--updates", type=int, default=UPDATES, help="of G in each run")
    parser.add_argument("--evaluations", type=int, default=4, help="of each run, at equal distances")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", nargs="+", choices=ROWS, help="default: all of MNIST's, three of stacked MNIST's")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, which share the cores")
    parser.add_argument("--out", type=Path, default=Path("logs/variants"))
    parser.add_argument("--picture", type=Path, help="where to write a sheet of the first seed's last samples")
    options = parser.parse_args()
    titles = options.rows or (list(ROWS) if options.data == "mnist" else STACKED)
    plan = [(title, seed) for seed in range(options.seeds) for title in titles]
    runs = at_a_time(options.jobs, lambda job: evaluations(*job, options), plan)
    shown = SHOWN[options.data]
    better = max if shown[0] == "modes" else min
    lines = []
    for title in titles:
        found = [runs[title, seed] for seed in range(options.seeds)]
        best = [better(run, key=lambda metrics: metrics[shown[0]]) for run in found]
        last = [run[-1] for run in found]
        cells = [cell([metrics[name] for metrics in side]) for side in (best, last) for name in shown]
        cells += [str(batches(title, options.updates)), cell([metrics["minutes"] for metrics in last])]
        lines.append((statistics.mean(metrics[shown[0]] for metrics in best), row([f"`{title}`", *cells])))
    print(head(["", *(f"{side} {name}" for side in ("best", "last") for name in shown), "batches", "minutes"]))
    print("\n".join(line for _, line in sorted(lines, reverse=better is max)))
    if options.picture:
        grids = {title: max(folder_of(title, 0, options).glob("samples/step_*.png")) for title in titles}
        sheet(grids, 5, (156, 156)).save(options.picture, optimize=True)


if __name__ == "__main__":
    main()
