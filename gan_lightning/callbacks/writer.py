"""The thread that writes files while training goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from lightning import Callback, LightningModule, Trainer

from gan_lightning.cadence import StepCallback


class Writer(StepCallback):
    """Writes files in a thread of its own, in the order in which they were submitted.

    After a write that failed it writes nothing more, since a later file may refer to an earlier one. The error is
    raised in the main thread, at the end of the batch or of the run, or where the next file is submitted.
    """

    LIMIT = 8
    """The number of files that may wait; submitting another one waits for the first of them."""

    def __init__(self) -> None:
        self._thread: ThreadPoolExecutor | None = None
        self._waiting: deque[Future[None]] = deque()
        self._error: BaseException | None = None

    @classmethod
    def of(cls, trainer: Trainer) -> Writer:
        """Returns the writer of a Trainer; a Trainer that was built by hand gets one."""
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        found = next((callback for callback in callbacks if isinstance(callback, cls)), None)
        if found is None:
            callbacks.append(found := cls())
        return found

    def submit(self, write: Callable[[], object]) -> Future[None]:
        """Lets the thread call `write` after all that was submitted before; `write` must own the data that it writes.

        Raises:
            OSError: An earlier write has failed.
        """
        self._raise_error()
        if self._thread is None:
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writer")
        while self._waiting and (self._waiting[0].done() or len(self._waiting) >= self.LIMIT):
            self._waiting.popleft().result()
        future = self._thread.submit(self._call, write)
        self._waiting.append(future)
        return future

    def wait(self) -> None:
        """Waits until all files are written.

        Raises:
            OSError: A write has failed.
        """
        while self._waiting:
            self._waiting.popleft().result()
        self._raise_error()

    def on_step_end(self, *_: Any) -> None:
        self._raise_error()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._end()  # the exception counts, and not an error of a write

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._end()
        self._raise_error()

    def _call(self, write: Callable[[], object]) -> None:
        if self._error is None:
            try:
                write()
            except BaseException as error:
                self._error = error

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _end(self) -> None:
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None
