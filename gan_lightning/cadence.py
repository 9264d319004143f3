"""The batches after which a callback acts."""

from __future__ import annotations

from lightning import Trainer


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


def is_last_batch(trainer: Trainer) -> bool:
    """Whether this batch is the last one of the run, by max_steps or max_epochs. Call it at the end of a batch."""
    ends_last_epoch = _ends_epoch(trainer) and trainer.current_epoch + 1 == trainer.max_epochs
    return trainer.global_step == trainer.max_steps or ends_last_epoch


def _ends_epoch(trainer: Trainer) -> bool:
    return trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
