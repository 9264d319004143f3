"""The share of a run's time outside of its steps, with a checkpoint and a sample grid every 50 batches.

    python benchmarks/writing.py --data data --against another/checkout

Each turn trains every run without files and with them, in this checkout and in another one, a process each. The medians
are of all blocks of 50 batches, each of which has one checkpoint and one grid. Left out are the first batches, and what
happens once, at the end. A thread that writes may slow the steps themselves: that is in the last column, the time of a
block with files in relation to one without.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
QUIET = ("trainer=cpu", "callbacks.progress=null")
NO_GRAPH = ("callbacks.summary=null", "callbacks.graph=null")
RUNS: dict[str, tuple[int, tuple[str, ...]]] = {
    "MLP, digits": (400, ()),
    "DCGAN, MNIST": (150, ("experiment=dcgan_mnist", "data.batch_size=16", *NO_GRAPH)),
}
"""The number of batches of each run, and its options."""
FIRST = 20
"""The number of batches that are left out."""
EVERY = 50
FILES = {
    "without files": ("callbacks.samples=null", "callbacks.video=null", "callbacks.checkpoints=null"),
    "with files": (
        *(f"callbacks.samples.every_n_steps={EVERY}", "callbacks.samples.every_n_epochs=null", "callbacks.video=null"),
        *(f"callbacks.checkpoints.every_n_steps={EVERY}", "callbacks.checkpoints.keep_every_n_epochs=null"),
    ),
}


def measure(run: str, files: str, data: str) -> None:
    """Trains in this process; prints the seconds of each block of batches, and those of the steps in it."""
    import gan_lightning
    from gan_lightning.models import GAN

    begun: list[float] = []
    steps: list[float] = []
    training_step = GAN.training_step

    def timed(model: GAN, *arguments: Any) -> Any:
        begun.append(time.perf_counter())
        result = training_step(model, *arguments)
        steps.append(time.perf_counter() - begun[-1])
        return result

    GAN.training_step = timed  # type: ignore[assignment, method-assign]
    count, options = RUNS[run]
    with tempfile.TemporaryDirectory(dir=".") as folder:
        where = (f"hydra.run.dir={folder}", *([f"data.root={data}"] if options else []))
        gan_lightning.train([*options, *QUIET, *FILES[files], *where, f"trainer.max_steps={count + FIRST + 1}"])
    first = range(FIRST, count, EVERY)
    print(json.dumps([[begun[n + EVERY] - begun[n], sum(steps[n : n + EVERY])] for n in first]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--data", default="data", help="the folder with MNIST/raw")
    parser.add_argument("--against", type=Path, help="another checkout of gan_lightning")
    parser.add_argument("--measure", nargs=2, metavar=("RUN", "FILES"), help="one run in this process")
    options = parser.parse_args()
    if options.measure:
        run, files = options.measure
        return measure(run, files, options.data)
    trees = [path.resolve() for path in (options.against, PROJECT) if path]
    found: dict[tuple[str, Path, str], list[list[float]]] = {}
    for _ in range(options.turns):
        for case in ((run, tree, files) for run in RUNS for tree in trees for files in FILES):
            run, tree, files = case
            command = [sys.executable, __file__, "--data", str(Path(options.data).resolve()), "--measure", run, files]
            result = subprocess.run(
                command, env=os.environ | {"PYTHONPATH": str(tree)}, check=True, stdout=subprocess.PIPE, text=True
            )
            found.setdefault(case, []).extend(json.loads(result.stdout.splitlines()[-1]))
    print(f"{options.turns} turns: outside of the steps without files, with files; time with files/without files")
    for run in RUNS:
        for tree in trees:
            outside = [statistics.median(1 - steps / whole for whole, steps in found[run, tree, f]) for f in FILES]
            less, more = (statistics.median(whole for whole, _ in found[run, tree, files]) for files in FILES)
            name = "this checkout" if tree == PROJECT else str(tree.name)
            print(f"{run:14} {name:14} {outside[0]:7.1%} {outside[1]:7.1%} {more / less:7.2f}")
    return None


if __name__ == "__main__":
    main()
