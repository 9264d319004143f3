"""What the doctor adds to the time of a small MLP GAN, at its default of a measurement every 200 updates.

python benchmarks/doctor_cost.py
In one run of the default model, a turn of 200 batches with a measurement alternates with one without.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from typing import Any

from lightning import LightningModule, Trainer
from turns import train_in_turns

from gan_lightning.cadence import StepCallback

TURN = 200


class Laps(StepCallback):
    """Takes the times of turns; a measurement is in the middle of every second one.

    Args:
        block: The number of batches in a turn.
    """

    def __init__(self, block: int) -> None:
        self.block = block
        self.times: list[tuple[float, float]] = []

    def on_step_end(self, trainer: Trainer, model: Any, batch: Any, output: Any) -> None:
        if (trainer.global_step + self.block // 2) % self.block == 0:
            self.times.append((time.perf_counter(), time.process_time()))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for name, times in zip(("wall", "processor"), zip(*self.times, strict=True), strict=True):
            turns = [end - begin for begin, end in itertools.pairwise(times)]
            both = list(zip(turns[2::2], turns[3::2], strict=False))  # the first turn of each kind warms up
            low, median, high = statistics.quantiles([with_ / without for without, with_ in both], n=4)
            more = statistics.median(with_ - without for without, with_ in both)
            print(
                f"{name} time of {len(both)} turns with a measurement over the turn before: {median:.3f}, quartiles "
                f"{low:.3f} and {high:.3f}; {1000 * more:.0f} ms more"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=48)
    options = parser.parse_args()
    quiet = ("callbacks.progress=null", "callbacks.samples=null", "callbacks.video=null", "callbacks.checkpoints=null")
    doctor = f"callbacks.doctor.every_n_updates={2 * TURN}"
    train_in_turns("doctor_cost.Laps", TURN, options.turns, doctor, *quiet, "trainer=cpu")


if __name__ == "__main__":
    main()
