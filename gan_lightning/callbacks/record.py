"""The record of a run: its configuration and its final metrics."""

from __future__ import annotations

import math
import time
from typing import Any

import torch
from lightning import Trainer
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.loggers import TensorBoardLogger

from gan_lightning.cadence import StepCallback
from gan_lightning.callbacks import loggers
from gan_lightning.data.foreign import warn_of_inexact_resume
from gan_lightning.losses import BatchOutput
from gan_lightning.models import GAN

NO_RESULTS = ("terms/", "lr/", "schedule/", "time/epoch", "epoch")
"""Beginnings of logged names that are no columns of a sweep's results."""


class Record(StepCallback):
    """Puts the configuration into checkpoints and loggers, ends the loggers, and keeps the final metrics.

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
        """The last value of each logged metric: of the checkpoint that the session began with, then at its end."""
        self._since = 0.0
        self._epoch_since: float | None = None

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:  # type: ignore[override]
        self._since = time.monotonic()
        if trainer.global_step > 0:
            warn_of_inexact_resume(trainer.train_dataloader)
        for logger in trainer.loggers if trainer.is_global_zero else ():
            # At the first batch of this session, so that another session from the same checkpoint replaces it.
            loggers.log_config(logger, self.config, trainer.global_step + 1)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: GAN) -> None:  # type: ignore[override]
        resumed_inside = trainer.fit_loop.epoch_loop.batch_progress.current.ready > 0
        self._epoch_since = None if resumed_inside else time.monotonic()

    def on_step_end(self, trainer: Trainer, model: GAN, batch: Any, output: BatchOutput) -> None:
        self.images += len(batch[0]) * trainer.world_size

    def on_train_epoch_end(self, trainer: Trainer, pl_module: GAN) -> None:  # type: ignore[override]
        whole = trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        if whole and self._epoch_since is not None:
            pl_module.log_now({"time/seconds_per_epoch": time.monotonic() - self._epoch_since})
        if any(isinstance(callback, EarlyStopping) for callback in trainer.callbacks):  # type: ignore[attr-defined]
            # Its epoch may have ended before the first logged batch, or long after the last one.
            found = pl_module.metrics(pl_module.last_output)
            trainer.callback_metrics.update({name: torch.as_tensor(value) for name, value in found.items()})

    def on_train_end(self, trainer: Trainer, pl_module: GAN) -> None:  # type: ignore[override]
        self._count_time()
        self.metrics = self._current_metrics(trainer, pl_module)
        # Lightning's counter has another value here if the run resumed from the checkpoint of its last batch.
        self.metrics["epoch"] = float(math.ceil(trainer.global_step / trainer.num_training_batches))
        from torch.utils.tensorboard.summary import hparams  # a slow import

        results = [name for name in self.metrics if not name.startswith(NO_RESULTS)]
        results.sort(key=lambda name: name != self.config["objective"])  # the objective is the first column
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger) and trainer.is_global_zero:
                # Lightning's log_hyperparams would log the last values again, as second points of their last batch.
                for part in hparams(dict(loggers.flat(self.compared)), dict.fromkeys(results, 0.0)):
                    logger.experiment.file_writer.add_summary(part, trainer.global_step)

    def teardown(self, trainer: Trainer, pl_module: GAN, stage: str) -> None:  # type: ignore[override]
        for logger in trainer.loggers if trainer.is_global_zero else ():  # the writer has written the last picture
            loggers.end(logger)

    def _current_metrics(self, trainer: Trainer, model: GAN) -> dict[str, float]:
        metrics = {
            **self.metrics,
            **trainer.callback_metrics,
            **(model.metrics(model.last_output) if model.last_output["terms"] else {}),
        }
        return {name: float(value) for name, value in metrics.items() if "time/" not in name}

    def _count_time(self) -> None:
        now = time.monotonic()
        self.seconds += now - self._since
        self._since = now

    def on_save_checkpoint(self, trainer: Trainer, pl_module: GAN, checkpoint: dict[str, Any]) -> None:  # type: ignore[override]
        checkpoint["config"] = self.config
        checkpoint["metrics"] = self._current_metrics(trainer, pl_module)
        for logger in trainer.loggers:  # first, since no later session repeats what was logged before the checkpoint
            logger.save()

    def on_load_checkpoint(self, trainer: Trainer, pl_module: GAN, checkpoint: dict[str, Any]) -> None:  # type: ignore[override]
        self.metrics = dict(checkpoint["metrics"])

    def state_dict(self) -> dict[str, Any]:
        self._count_time()
        return {"seconds": self.seconds, "images": self.images}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seconds = state_dict["seconds"]
        self.images = state_dict["images"]
