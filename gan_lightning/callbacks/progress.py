"""One progress bar for the whole run."""

from __future__ import annotations

import sys
import time
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from tqdm.auto import tqdm

from gan_lightning.cadence import StepCallback
from gan_lightning.callbacks.doctor import Doctor
from gan_lightning.losses import BatchOutput
from gan_lightning.models import GAN


class Progress(StepCallback, ProgressBar):
    """Shows batches, the time left, images per second, the losses of both players, the epoch, and the doctor's finding.

    Args:
        refresh_seconds: The time between two updates of the bar; without a terminal it is 30 times as long.
    """

    def __init__(self, refresh_seconds: float = 0.5) -> None:
        super().__init__()
        self.refresh_seconds = refresh_seconds if sys.stderr.isatty() else 30 * refresh_seconds
        self._enabled = True
        self._bar: Any = None
        self._drawn_at = 0.0
        self._images = 0  # since then

    def disable(self) -> None:
        self._enabled = False  # Lightning calls this on every process but the first

    def enable(self) -> None:
        self._enabled = True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        total = trainer.estimated_stepping_batches
        self._bar = tqdm(
            total=int(total) if total != float("inf") else None,
            initial=trainer.global_step,
            desc="training",
            unit="batch",
            mininterval=0,
            miniters=sys.maxsize,  # the time below decides when it is drawn
            disable=not self._enabled,
            bar_format="{desc} {percentage:3.0f}%|{bar:24}| {n_fmt}/{total_fmt} [{elapsed}, {remaining} left{postfix}]",
        )
        self._drawn_at = time.monotonic()

    def on_step_end(self, trainer: Trainer, model: GAN, batch: Any, output: BatchOutput) -> None:
        self._images += len(batch[0]) * trainer.world_size

    def is_due(self, trainer: Trainer) -> bool:
        return self._enabled and time.monotonic() - self._drawn_at > self.refresh_seconds

    def on_due(self, trainer: Trainer, model: GAN) -> None:
        now, step = time.monotonic(), trainer.global_step
        rate = self._images / (now - self._drawn_at)
        losses = {player[0].upper(): sum(terms.values()) for player, terms in model.last_output["terms"].items()}
        shown = [f"{name} loss {float(loss):.3f}" for name, loss in losses.items()]
        seconds = trainer.callback_metrics.get("time/seconds_per_epoch")
        epoch = [f"epoch {trainer.current_epoch + 1}" + (f" ({seconds:.1f} s each)" if seconds is not None else "")]
        ill = [problem.line for problem in Doctor.problems_of(trainer)[:1]]
        self._bar.set_postfix_str(", ".join([f"{rate:,.0f} images/s", *shown, *epoch, *ill]), refresh=False)
        self._bar.update(step - self._bar.n)
        self._bar.refresh()
        self._drawn_at, self._images = now, 0

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._bar.update(trainer.global_step - self._bar.n)
        self._bar.refresh()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if self._bar is not None:
            self._bar.close()
