"""Loops that take turns with train.py in its own process, so that whatever else the machine does slows all alike."""

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

from lightning import Callback, LightningModule, Trainer

PROJECT = Path(__file__).resolve().parent.parent
Loop = Callable[[], None]
"""Trains one batch."""


class Turns(Callback):
    """Interrupts training after every `block` batches to let other loops train as many, and keeps the times.

    Args:
        block: batches in a turn.
    """

    def __init__(self, block: int) -> None:
        self.block = block
        self.loops: dict[str, Loop] = {}
        self.seconds: dict[str, list[float]] = {"train.py": []}
        self._since = 0.0

    def made(self, trainer: Trainer, model: LightningModule) -> dict[str, Loop]:
        """The other loops, by name."""
        raise NotImplementedError

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.loops = self.made(trainer, pl_module)
        self.seconds |= {name: [] for name in self.loops}
        self._since = time.perf_counter()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
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
        """Images/s of every loop, and how much faster train.py is than each; the first turn is left out."""
        turns = {name: seconds[1:] for name, seconds in self.seconds.items()}
        images = {name: batch_size * self.block * len(seconds) / sum(seconds) for name, seconds in turns.items()}
        lines = [f"{name:10} {rate:8,.0f} images/s" for name, rate in images.items()]
        for name in self.loops:
            each = [slow / fast for slow, fast in zip(turns[name], turns["train.py"], strict=True)]
            low, median, high = statistics.quantiles(each, n=4)
            lines.append(f"train.py/{name} {median:.2f} by turns, half of them from {low:.2f} to {high:.2f}")
        return lines


def train_in_turns(turns: str, block: int, count: int, *options: str) -> None:
    """Runs train.py with a callback "module.Class{more arguments}" of this folder, for `count` turns and one more."""
    name, _, more = turns.rstrip("}").partition("{")
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(sys.executable, "train.py", *options, f"trainer.max_steps={block * (count + 1)}"),
            f"+callbacks.turns={{_target_:{name},block:{block},{more}}}",
            f"hydra.run.dir={folder}/run",
        ]
        here = {"PYTHONPATH": str(PROJECT / "benchmarks"), "GAN_LIGHTNING_TRUST": name.partition(".")[0]}
        subprocess.run(command, cwd=PROJECT, env=os.environ | here, check=True)
