"""How good are the MNIST recipes after equal numbers of images? A table, over seeds, beside the floor.

python benchmarks/quality.py --root path/to/data --images 120000 --seeds 3 --out logs/quality
Runs that are in the folder already are not trained again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from runs import train
from tables import cell, head, row

from gan_lightning import certificate, evaluate

RECIPES = {"vanilla_mnist": 64, "vanilla_small_mnist": 100, "dcgan_mnist": 256}
"""Experiments and their batch sizes."""
SHOWN = ("fid", "kid", "precision", "recall", "density", "coverage", "class_coverage")


def certified(experiment: str, seed: int, images: int, root: str, out: Path) -> certificate.Certificate:
    """The certificate of one run, trained and evaluated where it is not there yet."""
    folder = out / f"{experiment}_{images}_{seed}"
    steps = f"trainer.max_steps={images // RECIPES[experiment]}"
    quiet = ("callbacks.samples=null", *(("~callbacks.graph", "~callbacks.summary") if "dcgan" in experiment else ()))
    train(folder, (f"experiment={experiment}", f"seed={seed}", steps, f"data.root={root}", *quiet))
    if not (folder / certificate.NAME).exists():
        evaluate.main([str(folder)])
    found = certificate.read(folder)
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
    rows, floor = [], list[str]()
    for experiment in options.recipes:
        found = [
            certified(experiment, seed, options.images, options.root, options.out)["figures"]
            for seed in range(options.seeds)
        ]
        rows.append(row([f"`{experiment}`", *(cell([figures[name]["value"] for figures in found]) for name in SHOWN)]))
        floor = [cell([found[0][name]["floor"]]) for name in SHOWN]
    arrows = [f"{name} {certificate.ARROWS[found[0][name]['better']]}" for name in SHOWN]
    print("\n".join([head(["", *arrows]), *rows, row(["floor", *floor])]))


if __name__ == "__main__":
    main()
