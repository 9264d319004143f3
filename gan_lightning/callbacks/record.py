"""The record of a run: its configuration and its final metrics."""

from __future__ import annotations

import math
import time
from typing import Any

import yaml
from lightning import Callback, Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from gan_lightning.data.foreign import warn_of_inexact_resume
from gan_lightning.models import GAN

NO_RESULTS = ("terms/", "lr/", "epoch")
"""Beginnings of logged names that are no columns of a sweep's results."""


class Record(Callback):
    """Puts the configuration into checkpoints and TensorBoard, and keeps the final metrics.

    Args:
        config: The resolved configuration, in plain containers.
        compared: The part of it that TensorBoard's HPARAMS tab shows.
    """

    def __init__(self, config: dict[str, Any], compared: dict[str, Any]) -> None:
        self.config = config
        self.compared = compared
        self.seconds = 0.0
        """The training time in seconds, over all sessions of the run."""
        self.images = 0
        """The number of real samples that all processes have trained on, over all sessions."""
        self.metrics: dict[str, float] = {}
        """The last value of each logged metric, at the end; before, at the checkpoint that the run resumed from."""
        self._since = 0.0
        self._epoch_since: float | None = None

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:  # type: ignore[override]
        self._since = time.monotonic()
        if trainer.global_step > 0:
            warn_of_inexact_resume(trainer.train_dataloader)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger) and trainer.is_global_zero:
                text = yaml.safe_dump(self.config, sort_keys=False)
                indented = "".join(f"    {line}\n" for line in text.splitlines())  # a code block in Markdown
                logger.experiment.add_text("config", indented, trainer.global_step)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: GAN) -> None:  # type: ignore[override]
        resumed_inside = trainer.fit_loop.epoch_loop.batch_progress.current.ready > 0
        self._epoch_since = None if resumed_inside else time.monotonic()

    def on_train_batch_end(  # type: ignore[override]
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.images += len(batch[0]) * trainer.world_size

    def on_train_epoch_end(self, trainer: Trainer, pl_module: GAN) -> None:  # type: ignore[override]
        whole = trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        if whole and self._epoch_since is not None:
            pl_module.log("time/epoch", time.monotonic() - self._epoch_since, sync_dist=True)

    def on_train_end(self, trainer: Trainer, pl_module: GAN) -> None:  # type: ignore[override]
        self._count_time()
        self.metrics = self._current_metrics(trainer, pl_module)
        # Lightning's counter has another value here if the run resumed from the checkpoint of its last batch.
        self.metrics["epoch"] = float(math.ceil(trainer.global_step / trainer.num_training_batches))
        final = {name: value for name, value in self.metrics.items() if not name.startswith(NO_RESULTS)}
        first = self.config["objective"]
        if first in final:
            final = {first: final[first], **final}
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.log_hyperparams(self.compared, final, step=trainer.global_step)

    def _current_metrics(self, trainer: Trainer, model: GAN) -> dict[str, float]:
        metrics = {
            **self.metrics,
            **trainer.callback_metrics,
            **(model.metrics(model.last_output) if model.last_output["terms"] else {}),
        }
        return {name: float(value) for name, value in metrics.items() if name != "step" and "time/" not in name}

    def _count_time(self) -> None:
        now = time.monotonic()
        self.seconds += now - self._since
        self._since = now

    def on_save_checkpoint(self, trainer: Trainer, pl_module: GAN, checkpoint: dict[str, Any]) -> None:  # type: ignore[override]
        checkpoint["config"] = self.config
        checkpoint["metrics"] = self._current_metrics(trainer, pl_module)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: GAN, checkpoint: dict[str, Any]) -> None:  # type: ignore[override]
        self.metrics = checkpoint["metrics"]

    def state_dict(self) -> dict[str, Any]:
        self._count_time()
        return {"seconds": self.seconds, "images": self.images}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seconds = state_dict["seconds"]
        self.images = state_dict["images"]
