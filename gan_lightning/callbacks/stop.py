"""Stopping on a signal without losing a batch."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

import torch
import torch.distributed as dist
from lightning import LightningModule, Trainer

from gan_lightning.cadence import StepCallback


class GracefulStop(StepCallback):
    """On SIGTERM or Ctrl-C, finishes the batch and stops training; a second signal stops the process.

    With several processes, the signal may reach only some of them, and at different batches. After each batch the
    processes start an all-reduce of the signal and read its result one batch later. So no process waits for it, and
    all stop after the same batch.
    """

    SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self) -> None:
        self.received = 0
        """The number of the signal that stopped training, or 0."""
        self._handlers: dict[int, Any] = {}
        self._group: Any = None
        self._pending: tuple[dist.Work, torch.Tensor] | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.world_size > 1:
            self._group = dist.new_group(backend="gloo")  # on the CPU, independent of the GPUs' communication
        if threading.current_thread() is threading.main_thread():  # elsewhere Python allows no handlers
            self._handlers = {number: signal.signal(number, self._receive) for number in self.SIGNALS}

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        self._restore_handlers()

    def on_step_end(self, trainer: Trainer, *_: Any) -> None:
        agreed = self.received if self._group is None else self._exchange()
        if agreed:
            self.received = agreed
            trainer.should_stop = True

    def _exchange(self) -> int:
        """The highest signal number that any process had received one batch ago."""
        previous = self._wait_for_pending()
        number = torch.tensor(self.received)
        self._pending = dist.all_reduce(number, dist.ReduceOp.MAX, self._group, async_op=True), number
        return previous

    def _wait_for_pending(self) -> int:
        if self._pending is None:
            return 0
        (work, number), self._pending = self._pending, None
        work.wait()
        return int(number)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._wait_for_pending()  # ends the pending all-reduce before the processes end

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._restore_handlers()

    def _restore_handlers(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}
