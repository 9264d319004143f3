"""Does a race of the default variants find the winner of the full grid, and with how many images? On your pictures.

python benchmarks/race.py path/to/pictures --images 200000 --jobs 2
python benchmarks/race.py path/to/pictures --metrics random    # pictures without classes
The grid is a race with one rung: all candidates to the end. What is in --out already is not trained again.
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from runs import figures, race
from tables import head, row

from gan_lightning.sweeps import standings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path, help="class folders of pictures, or train/ and test/ of them")
    parser.add_argument("--size", type=int, default=32, help="pixels of a side")
    parser.add_argument("--network", default="dcgan")
    parser.add_argument("--metrics", default="classifier", help="classifier, inception or random")
    parser.add_argument("--images", type=int, default=200_000, help="of the longest runs")
    parser.add_argument("--samples", type=int, default=10_000, help="images that an evaluation generates")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, which share the cores")
    parser.add_argument("--out", type=Path, default=Path("logs/race"))
    options = parser.parse_args()
    common = (
        *("sweep=race", "data=image_folder", f"data.root={options.pictures.absolute()}", "data.batch_size=64"),
        *(f"data.image_shape=[3,{options.size},{options.size}]", f"network={options.network}"),
        *(f"metrics={options.metrics}", f"callbacks.evaluation.num={options.samples}"),
        *("callbacks.evaluation.every_n_steps=null", f"hydra.sweeper.images={options.images}"),
        *([f"seed={','.join(map(str, range(options.seeds)))}"] if options.seeds > 1 else []),
        *([] if (options.pictures / "test").is_dir() else ["data.test_fraction=0.1"]),
    )
    found = race(options.out / "race", common, options.jobs)
    grid = figures(race(options.out / "grid", (*common, "hydra.sweeper.rungs=1"), options.jobs))
    print(head([*standings.head(found), f"{found.objective} of the full grid"]))
    for cells in standings.rows(found):
        print(row([f"`{cells[0]}`", *cells[1:], f"{grid[cells[0]]:.4g}" if cells[0] in grid else "failed"]))
    order = sorted(grid, key=lambda text: grid[text])
    assert found.winner is not None
    winner = shlex.join(found.candidates[found.winner].overrides)
    print(f"\nthe race's winner, {winner}, is number {order.index(winner) + 1} of {len(order)} in the grid, ", end="")
    print(f"{grid[winner] / grid[order[0]] - 1:.1%} above {order[0]}; {standings.cost(found)}")


if __name__ == "__main__":
    main()
