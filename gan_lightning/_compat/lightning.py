"""Functions that use private names of Lightning."""

from __future__ import annotations

from lightning.pytorch import Trainer


def skip_sigterm_broadcast(trainer: Trainer) -> None:
    """Switches off the flag that Lightning broadcasts and waits for before every batch of several processes.

    Reason: `GracefulStop` shares a signal between processes without this wait, and Lightning has no option for it.
    """
    assert callable(trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor)
    trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None  # type: ignore[method-assign]


def end_without_batches(trainer: Trainer) -> None:
    """Lets `fit` call `on_train_start` and `on_train_end` for a run that has no batches left, and train nothing.

    Reason: Lightning leaves both out, and callbacks do the final work of a run there. `fit_loop` has a private class.
    """
    loop = trainer.fit_loop

    def run() -> None:
        loop.setup_data()
        loop.on_run_start()
        loop.on_run_end()

    loop.run = run  # type: ignore[method-assign]


def count_batch(trainer: Trainer, is_last: bool) -> None:
    """Tells Lightning's loop before a batch how many were before it, and whether it is the last one of the epoch.

    Reason: Lightning counts the iterations of its loop, which train several batches, and gives no other way to do so.
    """
    loop = trainer.fit_loop.epoch_loop
    loop._batches_that_stepped = trainer.global_step
    loop.batch_progress.is_last_batch = is_last
