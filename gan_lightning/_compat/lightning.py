"""Lightning's private names."""

from __future__ import annotations

from lightning.pytorch import Trainer


def skip_sigterm_broadcast(trainer: Trainer) -> None:
    """Switches off the flag that Lightning broadcasts and waits for before every batch of several processes.

    Reason: `GracefulStop` agrees on a signal without waiting, and `SignalConnector` has no option to leave it out.
    """
    assert callable(trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor)
    trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None  # type: ignore[method-assign]
