"""When a callback acts."""

from __future__ import annotations

from lightning import Trainer


def due(trainer: Trainer, every_n_steps: int | None, every_n_epochs: int | None) -> bool:
    """Whether the batch just trained completes every n-th batch, or every n-th epoch.

    To be asked at the end of a batch. None switches a cadence off.
    """
    if every_n_steps is not None and trainer.global_step % every_n_steps == 0:
        return True
    return every_n_epochs is not None and _ends_epoch(trainer) and (trainer.current_epoch + 1) % every_n_epochs == 0


def completes(trainer: Trainer) -> bool:
    """Whether the batch just trained is the last one that was asked for."""
    ends_last_epoch = _ends_epoch(trainer) and trainer.current_epoch + 1 == trainer.max_epochs
    return trainer.global_step == trainer.max_steps or ends_last_epoch


def _ends_epoch(trainer: Trainer) -> bool:
    return trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
