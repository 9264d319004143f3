"""Which variants find every mode of 8 Gaussians on a ring, and of 25 on a grid? A table, over seeds, and pictures.

python benchmarks/gaussians.py --jobs 2 --pictures docs
Runs that are in the folder already are not trained again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from runs import Metrics, at_a_time, measured, train, variants
from sheets import sheet
from tables import cell, head, row

MODES = {"ring": 8, "grid": 25}
UNCONDITIONAL = [name for name, conditional in variants().items() if not conditional and name != "dcgan"]
"""Of the variants; dcgan differs from gan in its network alone."""
NEEDS = {
    "began": ("network=autoencoder",),
    "infogan": ("network.generator.latent_dim=14",),  # 2 beside its code of 12
}


def folder_of(variant: str, layout: str, seed: int, options: argparse.Namespace) -> Path:
    return options.out / f"{variant}_{layout}_{options.steps}_{seed}"


def last(variant: str, layout: str, seed: int, options: argparse.Namespace) -> Metrics:
    """What the last evaluation of one run found; it is trained where it is not there yet."""
    folder = folder_of(variant, layout, seed, options)
    run = (f"experiment=gaussians_{layout}", f"model={variant}", f"seed={seed}", f"trainer.max_steps={options.steps}")
    train(folder, (*run, *NEEDS.get(variant, ())), options.jobs)
    return measured(folder, "modes")[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", nargs="+", choices=UNCONDITIONAL, default=UNCONDITIONAL)
    parser.add_argument("--steps", type=int, default=5000, help="batches of 512")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, which share the cores")
    parser.add_argument("--out", type=Path, default=Path("logs/gaussians"))
    parser.add_argument("--pictures", type=Path, help="where to write gaussians_ring.png and gaussians_grid.png")
    options = parser.parse_args()
    plan = [(v, layout, seed) for seed in range(options.seeds) for layout in MODES for v in options.variants]
    found = at_a_time(options.jobs, lambda job: last(*job, options), plan)
    titles = [f"{layout}: {what}" for layout, of in MODES.items() for what in (f"modes of {of}", "within three std")]
    print(head(["`model=`", *titles]))
    for variant in options.variants:
        cells = []
        for layout in MODES:
            runs = [found[variant, layout, seed] for seed in range(options.seeds)]
            modes = ", ".join(f"{run['modes']:.0f}" for run in runs)
            cells += [modes, cell([run["high_quality"] for run in runs])]
        print(row([f"`{variant}`", *cells]))
    for layout in MODES if options.pictures else ():
        grids = {v: folder_of(v, layout, 0, options) / "samples" for v in options.variants}
        ends = {variant: max(folder.glob("step_*.png")) for variant, folder in grids.items()}
        sheet(ends, 4, (480, 300)).save(options.pictures / f"gaussians_{layout}.png", optimize=True)


if __name__ == "__main__":
    main()
