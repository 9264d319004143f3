"""What does a trained GAN save on few pictures of other classes? FID from scratch, with `init_from`, and with FreezeD.

python benchmarks/fine_tuning.py --mnist path/to/data --pictures path/to/cifar10_images --plot fid.png --sheet look.png
From MNIST's digits 0 to 4 to 1,000 pictures of 5 to 9, and from nine classes of the pictures to 500 of the tenth. The
axis is images, since seconds depend on what else runs. Runs that are in the folder already are not trained again.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from runs import at_a_time, measured, train
from sheets import sheet
from tables import cell, head, row

from gan_lightning.visualization import plots

BATCH = 64
SMALL = ("network=dcgan", "network.generator.base_channels=16", "network.discriminator.base_channels=16")
COMMON = ("model=gan_r1", *SMALL, f"data.batch_size={BATCH}")


class Task(NamedTuple):
    """Data to start from and data to learn: the same images, of other classes.

    Attributes:
        data: The overrides that choose the images.
        source: The classes of the first run.
        target: Those of the runs that are compared.
        limit: How many pictures of the target there are.
    """

    data: tuple[str, ...]
    source: list[int]
    target: list[int]
    limit: int


TASKS = {
    "mnist": Task(("data=mnist", "data.image_shape=[1,32,32]"), [0, 1, 2, 3, 4], [5, 6, 7, 8, 9], 1000),
    # The tenth class is the horses': other animals are among the nine.
    "pictures": Task(("data=image_folder", "data.image_shape=[3,32,32]"), [0, 1, 2, 3, 4, 5, 6, 8, 9], [7], 500),
}
INIT = "init_from={source}"
WAYS = {
    "from scratch": (),
    "init_from": (INIT,),
    "init_from, FreezeD": (INIT, "model.freeze_discriminator=2"),
}


def data_of(task: str, classes: list[int], options: argparse.Namespace) -> tuple[str, ...]:
    return (*COMMON, *TASKS[task].data, f"data.root={getattr(options, task)}", f"data.only_classes={classes}")


def source_of(task: str, options: argparse.Namespace) -> Path:
    return options.out / task / f"source_{options.source_batches}"


def folder_of(task: str, way: str, seed: int, options: argparse.Namespace) -> Path:
    return options.out / task / f"{way.replace(', ', '_').replace(' ', '_')}_{options.batches}_{seed}"


def metrics_of(options: argparse.Namespace, every: int | None) -> tuple[str, ...]:
    """The classifier knows all classes of the data, whichever a run sees, so that all figures have one measure."""
    evaluation = "callbacks.evaluation"
    steps = "null" if every is None else every
    return ("metrics=classifier", f"{evaluation}.num={options.images}", f"{evaluation}.every_n_steps={steps}")


def train_source(task: str, options: argparse.Namespace) -> None:
    chosen = (*data_of(task, TASKS[task].source, options), *metrics_of(options, None))
    train(source_of(task, options), (*chosen, f"trainer.max_steps={options.source_batches}"), options.jobs)


def fids(task: str, way: str, seed: int, options: argparse.Namespace) -> list[float]:
    """Those of one run's evaluations, in their order; it is trained where it is not there yet."""
    folder, every = folder_of(task, way, seed, options), options.batches // options.evaluations
    chosen = (*data_of(task, TASKS[task].target, options), f"data.limit={TASKS[task].limit}")
    start = (each.format(source=source_of(task, options)) for each in WAYS[way])
    length = (f"trainer.max_steps={every * options.evaluations}", f"seed={seed}")
    train(folder, (*chosen, *metrics_of(options, every), *start, *length), options.jobs)
    return [metrics["fid"] for metrics in measured(folder, "fid")]


def curves(task: str, images: list[int], found: dict[str, list[list[float]]]) -> plots.Draw:
    """A plot of the mean over seeds, in the range of all of them."""

    def draw(axes: Axes) -> None:
        for way, runs in found.items():
            (line,) = axes.plot(images, np.mean(runs, 0), marker=".", label=way)
            axes.fill_between(images, np.min(runs, 0), np.max(runs, 0), alpha=0.2, color=line.get_color())
        axes.set(xlabel="images", ylabel="FID", yscale="log", title=task)
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")
        axes.grid(alpha=0.3, which="both")

    return draw


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", type=Path, help="a folder that holds MNIST/raw/")
    parser.add_argument("--pictures", type=Path, help="a folder with train/ and test/, and ten classes in each")
    parser.add_argument("--source-batches", type=int, default=1500, help="of the run to start from")
    parser.add_argument("--batches", type=int, default=360, help="of each run that is compared")
    parser.add_argument("--evaluations", type=int, default=6, help="of each run, at equal distances")
    parser.add_argument("--images", type=int, default=2000, help="generated ones, for each evaluation")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, which share the cores")
    parser.add_argument("--out", type=Path, default=Path("logs/fine_tuning"))
    parser.add_argument("--plot", type=Path, help="where to write the curves")
    parser.add_argument("--sheet", type=Path, help="where to write the last samples of the first seed")
    return parser


def main() -> None:
    options = _parser().parse_args()
    tasks = [task for task in TASKS if getattr(options, task)]
    at_a_time(options.jobs, lambda task: train_source(task, options), tasks)
    plan = [(task, way, seed) for seed in range(options.seeds) for task in tasks for way in WAYS]
    runs = at_a_time(options.jobs, lambda job: fids(*job, options), plan)
    every = options.batches // options.evaluations
    images = [BATCH * every * number for number in range(1, options.evaluations + 1)]
    found = {task: {way: [runs[task, way, seed] for seed in range(options.seeds)] for way in WAYS} for task in tasks}
    for task in tasks:
        print(head([f"{task}: FID after images", *(f"{count:,}" for count in images)]))
        for way, seeds in found[task].items():
            print(row([way, *(cell(at) for at in zip(*seeds, strict=True))]))
        print()
    if options.plot:
        options.plot.write_bytes(plots.png([curves(task, images, found[task]) for task in tasks], legend=True))
    if options.sheet:
        grids = {f"{task}: {way}": folder_of(task, way, 0, options) for task in tasks for way in WAYS}
        last = {title: max(folder.glob("samples/step_*.png")) for title, folder in grids.items()}
        sheet(last, len(WAYS), (220, 220)).quantize(128).save(options.sheet, optimize=True)  # noise is large


if __name__ == "__main__":
    main()
