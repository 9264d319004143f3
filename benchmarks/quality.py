"""How good are the MNIST recipes after equal numbers of images? A table, over seeds, beside the baseline.

python benchmarks/quality.py --root path/to/data --images 120000 --seeds 3 --out logs/quality
Runs that are in the folder already are not trained again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from runs import train
from tables import cell, head, row

from gan_lightning.cli import evaluate
from gan_lightning.evaluation import report

RECIPES = {"vanilla_mnist": 64, "vanilla_small_mnist": 100, "dcgan_mnist": 256}
"""Experiments and their batch sizes."""
SHOWN = ("fid", "kid", "precision", "recall", "density", "coverage", "class_coverage")


def certified(experiment: str, seed: int, images: int, root: str, out: Path) -> report.EvaluationReport:
    """The evaluation report of one run, trained and evaluated where it is not there yet."""
    folder = out / f"{experiment}_{images}_{seed}"
    steps = f"trainer.max_steps={images // RECIPES[experiment]}"
    quiet = ("callbacks.samples=null", *(("~callbacks.graph", "~callbacks.summary") if "dcgan" in experiment else ()))
    train(folder, (f"experiment={experiment}", f"seed={seed}", steps, f"data.root={root}", *quiet))
    if not (folder / report.NAME).exists():
        evaluate.main([str(folder)])
    found = report.read(folder)
    if found["checkpoint"]["step"] != images // RECIPES[experiment]:
        raise SystemExit(f"{folder} holds another run; choose another --out")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="data", help="holds MNIST/raw/")
    parser.add_argument("--images", type=int, default=120_000, help="that each run is trained on")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--out", type=Path, default=Path("logs/quality"))
    options = parser.parse_args()
    rows, baseline = [], list[str]()
    for experiment in options.recipes:
        found = [
            certified(experiment, seed, options.images, options.root, options.out)["metrics"]
            for seed in range(options.seeds)
        ]
        rows.append(row([f"`{experiment}`", *(cell([metrics[name]["value"] for metrics in found]) for name in SHOWN)]))
        baseline = [cell([found[0][name]["baseline"]]) for name in SHOWN]
    arrows = [f"{name} {report.ARROWS[found[0][name]['better']]}" for name in SHOWN]
    print("\n".join([head(["", *arrows]), *rows, row(["baseline", *baseline])]))


if __name__ == "__main__":
    main()
