"""Loops that take turns with train.py in one process, so that another load of the machine slows all of them alike."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer

from gan_lightning.cadence import StepCallback

PROJECT = Path(__file__).resolve().parent.parent
Loop = Callable[[], None]
"""A function that trains one batch."""


class Turns(StepCallback):
    """After every `block` batches, runs each other loop for the same number of batches, and measures the times.

    Args:
        block: The number of batches in a turn.
    """

    def __init__(self, block: int) -> None:
        self.block = block
        self.loops: dict[str, Loop] = {}
        self.seconds: dict[str, list[float]] = {"train.py": []}
        self._since = 0.0

    def build_loops(self, trainer: Trainer, model: LightningModule) -> dict[str, Loop]:
        """Returns the other loops, by name."""
        raise NotImplementedError

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.loops = self.build_loops(trainer, pl_module)
        self.seconds |= {name: [] for name in self.loops}
        self._since = time.perf_counter()

    def on_step_end(self, trainer: Trainer, model: Any, batch: Any, output: Any) -> None:
        if trainer.global_step % self.block == 0:
            self._lap("train.py")
            for name, loop in self.loops.items():
                for _batch in range(self.block):
                    loop()
                self._lap(name)

    def _lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name].append(now - self._since)
        self._since = now

    def report(self, batch_size: int) -> list[str]:
        """Returns images/s of each loop, and the speed of train.py relative to it, without the first turn."""
        turns = {name: seconds[1:] for name, seconds in self.seconds.items()}
        images = {name: batch_size * self.block * len(seconds) / sum(seconds) for name, seconds in turns.items()}
        lines = [f"{name:10} {rate:8,.0f} images/s" for name, rate in images.items()]
        for name in self.loops:
            each = [slow / fast for slow, fast in zip(turns[name], turns["train.py"], strict=True)]
            low, median, high = statistics.quantiles(each, n=4)
            lines.append(f"train.py/{name} {median:.2f}, the median of the turns; quartiles {low:.2f} and {high:.2f}")
        return lines


def train_in_turns(turns: str, block: int, count: int, *options: str) -> None:
    """Runs train.py with a callback of this folder.

    Args:
        turns: The callback, such as a subclass of `Turns`, and its arguments: "module.Class{name:value}".
        block: The number of batches in a turn.
        count: The number of turns that are measured; the first turn is an additional one.
        options: The overrides of the command line.
    """
    name, _, more = turns.rstrip("}").partition("{")
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(sys.executable, "train.py", *options, f"trainer.max_steps={block * (count + 1)}"),
            f"+callbacks.turns={{_target_:{name},block:{block}{more and f',{more}'}}}",
            f"hydra.run.dir={folder}/run",
        ]
        here = {"PYTHONPATH": str(PROJECT / "benchmarks"), "GAN_LIGHTNING_TRUST": name.partition(".")[0]}
        subprocess.run(command, cwd=PROJECT, env=os.environ | here, check=True)
