"""How far from the best of a grid of weights is what sweep=gamma proposes? On digits, MNIST and a folder of pictures.

python benchmarks/gamma.py --root path/to/data --pictures path/to/cifar10_images --jobs 2
python benchmarks/gamma.py --data digits --probe 60000 --images 120000 --seeds 2
The proposal and the seven weights of the grid, at the configured learning rate, are trained for --images each. What is
in --out already is not trained again.
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from omegaconf import OmegaConf
from runs import figures, race
from tables import head, row

from gan_lightning.config.options import conf_folder
from gan_lightning.sweeps.gamma import heuristic_gamma
from gan_lightning.sweeps.standings import spent

WEIGHT = "model.penalties.r1.weight"
BATCH = 64


def chosen(data: str, options: argparse.Namespace) -> tuple[str, ...]:
    """The options of a data set, with the network that suits it."""
    small = ("data=mnist", f"data.root={options.root}", "network=dcgan")
    pictures = ("data=image_folder", f"data.root={options.pictures and options.pictures.absolute()}", "network=dcgan")
    test = () if options.pictures is None or (options.pictures / "test").is_dir() else ("data.test_fraction=0.1",)
    by_data = {"digits": ("data=digits", "network=mlp"), "mnist": small, "pictures": (*pictures, *test)}
    channels, size = shape(data)
    return (*by_data[data], f"data.batch_size={BATCH}", f"data.image_shape=[{channels},{size},{size}]", "model=gan_r1")


def shape(data: str) -> tuple[int, int]:
    """The channels of an image, and the pixels of its side."""
    return (3, 32) if data == "pictures" else (1, 28)


def weights(data: str) -> list[str]:
    """The grid: the multiples of the rule that sweep=gamma tries, too."""
    size = shape(data)[1]
    factors = OmegaConf.load(conf_folder() / "hydra" / "sweeper" / "gamma.yaml").factors
    return [f"{WEIGHT}={factor * heuristic_gamma(size, size, BATCH):.2g}" for factor in factors]


def compared(data: str, options: argparse.Namespace) -> str:
    """The row of a data set."""
    seeds = [f"seed={','.join(map(str, range(options.seeds)))}"] if options.seeds > 1 else []
    common = (*chosen(data, options), f"callbacks.evaluation.num={options.samples}", *seeds)
    common = (*common, "callbacks.evaluation.every_n_steps=null")
    probes = race(
        options.out / data / "gamma", ("sweep=gamma", *common, f"hydra.sweeper.images={options.probe}"), options.jobs
    )
    assert probes.winner is not None
    proposal = shlex.join(probes.candidates[probes.winner].overrides)
    grid = weights(data)
    length = (f"hydra.sweeper.images={options.images}", "hydra.sweeper.rungs=1")
    candidates = ",".join(f'"{text}"' for text in dict.fromkeys([*grid, proposal]))
    found = figures(
        race(
            options.out / data / "grid",
            ("sweep=race", *common, *length, f"hydra.sweeper.candidates=[{candidates}]"),
            options.jobs,
        )
    )
    best = min((text for text in grid if text in found), key=lambda text: found[text])
    cells = [data, f"`{proposal}`", f"{found[proposal]:.4g}", f"`{best}`", f"{found[best]:.4g}"]
    return row([*cells, f"{found[proposal] / found[best] - 1:+.1%}", f"{spent(probes)[0]:,}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", nargs="+", choices=("digits", "mnist", "pictures"), default=["digits", "mnist", "pictures"]
    )
    parser.add_argument("--root", default="data", help="holds MNIST/raw/")
    parser.add_argument("--pictures", type=Path, help="class folders of pictures, or train/ and test/ of them")
    parser.add_argument("--probe", type=int, default=120_000, help="images of the longest runs of sweep=gamma")
    parser.add_argument("--images", type=int, default=120_000, help="images of the runs that are compared")
    parser.add_argument("--samples", type=int, default=10_000, help="images that an evaluation generates")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, which share the cores")
    parser.add_argument("--out", type=Path, default=Path("logs/gamma"))
    options = parser.parse_args()
    if "pictures" in options.data and options.pictures is None:
        parser.error("--pictures: expected a folder; or leave pictures out of --data")
    rows = [compared(data, options) for data in options.data]
    print(head(["", "proposal", "fid", "best of the grid", "fid", "difference", "images of sweep=gamma"]))
    print("\n".join(rows))


if __name__ == "__main__":
    main()
