"""The batches after which a callback acts."""

from __future__ import annotations

from typing import Any

from lightning import Callback, LightningModule, Trainer
from torch import Tensor


class StepCallback(Callback):
    """A callback that allows blocks: several batches in one iteration of Lightning's loop.

    It is called after every batch by `on_step_end`, and by `on_due` after those batches at which a block ends for it. A
    callback that overrides Lightning's `on_train_batch_start` or `on_train_batch_end` instead gets every batch in an
    iteration of its own.
    """

    def schedulable(self) -> dict[str, float]:
        """Returns the callback's numbers that can have a schedule, by name; a step's output has their values."""
        return {}

    def on_step_end(self, trainer: Trainer, model: Any, batch: Any, output: Any) -> None:
        """Is called after every batch, with the batch on the device and what `training_step` has returned."""

    def is_due(self, trainer: Trainer) -> bool:
        """Whether `on_due` is called after this batch. It is asked at the end of every batch."""
        return False

    def on_due(self, trainer: Trainer, model: Any) -> None:
        """Is called at the end of a batch, after `on_step_end`."""

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if outputs:  # a block has none: it has called `on_step_end` for each of its batches
            self.on_step_end(trainer, pl_module, batch, outputs)
        if self.is_due(trainer):
            self.on_due(trainer, pl_module)


def due(trainer: Trainer, every_n_steps: int | None, every_n_epochs: int | None) -> bool:
    """Whether a callback acts after this batch: every n steps, or every n epochs. Call it at the end of a batch.

    Args:
        trainer: The Trainer.
        every_n_steps: The number of batches between two actions; None: no action by batches.
        every_n_epochs: The number of epochs between two actions; None: no action by epochs.
    """
    if every_n_steps is not None and trainer.global_step % every_n_steps == 0:
        return True
    return every_n_epochs is not None and _ends_epoch(trainer) and (trainer.current_epoch + 1) % every_n_epochs == 0


def global_batch_size(trainer: Trainer, samples: Tensor) -> int:
    """Returns the number of samples in a batch of all processes; an incomplete last batch counts as a whole one.

    Args:
        trainer: The Trainer.
        samples: Those of this process in one batch.
    """
    # A loader of ours gets whole batches from its sampler, and has no batch size.
    return (getattr(trainer.train_dataloader, "batch_size", None) or len(samples)) * trainer.world_size


def is_last_batch(trainer: Trainer) -> bool:
    """Whether this batch is the last one of the run, by max_steps or max_epochs. Call it at the end of a batch."""
    ends_last_epoch = _ends_epoch(trainer) and trainer.current_epoch + 1 == trainer.max_epochs
    return trainer.global_step == trainer.max_steps or ends_last_epoch


def _ends_epoch(trainer: Trainer) -> bool:
    return trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
