"""Functions that use private names of Lightning."""

from __future__ import annotations

from lightning.pytorch import Trainer


def skip_sigterm_broadcast(trainer: Trainer) -> None:
    """Switches off the flag that Lightning broadcasts and waits for before every batch of several processes.

    Reason: `GracefulStop` shares a signal between processes without this wait, and Lightning has no option for it.
    """
    assert callable(trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor)
    trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None  # type: ignore[method-assign]
