"""Settings of a training process: its imports, warnings, loggers, and its end."""

from __future__ import annotations

import atexit
import contextlib
import gc
import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Iterator

IGNORED_WARNINGS = (
    ".*does not have many workers.*",  # the data is in memory
    ".*number of training batches .* is smaller than the logging interval.*",  # batches are counted over the whole run
    ".*module\\(s\\) in eval mode at the start of training.*",  # the averaged generator
    ".*have no `validation_step`.*",  # a user's data module has validation data for the metrics only
    ".*dataloader is not resumable.*",  # `warn_of_inexact_resume` warns of it in more detail
    ".*Found `dataloader_iter` argument.*",  # `Blocks` uses it
    ".*callbacks used to create the checkpoint need to be provided.*",  # a resumed run may leave some out
    ".*isinstance\\(treespec, LeafSpec\\).*",  # a name that Lightning uses and torch deprecates
)
"""Warnings of Lightning that do not apply to gan_lightning."""


def set_up_process() -> None:
    """Silences Lightning's warnings that do not apply here, and undoes one of its settings.

    A full disk is told once, by the run, and not also by every log line that cannot be written.
    """
    logging.raiseExceptions = False
    threading.excepthook = _report_thread
    # Lightning's value, 1, makes every optimizer step open NVIDIA's management library: 0.3 ms, 3% of a small step.
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"
    logging.getLogger("lightning").handlers.clear()  # the root logger prints the same messages
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    logging.getLogger("lightning.pytorch.callbacks.model_summary").setLevel(logging.INFO)
    for message in IGNORED_WARNINGS:
        warnings.filterwarnings("ignore", message)


@contextlib.contextmanager
def quick_imports() -> Iterator[None]:
    """Collects no garbage while torch and Lightning are imported, which saves a fifth of the time to the first step.

    Their half a million objects live as long as the process, and each full collection would look at all of them: they
    are kept out of it until a run has ended, or the process. Where torch is imported already, nothing changes.
    """
    if "torch" in sys.modules or not gc.isenabled():
        yield
        return
    gc.collect()  # what is garbage now must not be kept with the rest
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        atexit.register(gc.unfreeze)  # libraries complain of objects that are left at the end


def end_with(parent: int, number: int) -> None:
    """Sends the signal `number` to this process once the process `parent`, which has started it, has ended."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.kill(os.getpid(), number)

    threading.Thread(target=watch, daemon=True, name="end_with").start()


def _report_thread(failure: threading.ExceptHookArgs) -> None:
    """Reports an exception that ended a thread; TensorBoard's writer raises its own again, in the main thread."""
    if type(failure.thread).__module__.startswith("tensorboard."):
        return
    threading.__excepthook__(failure)
