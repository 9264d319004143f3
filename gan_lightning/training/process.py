"""Settings of a process that trains."""

from __future__ import annotations

import logging
import os
import warnings

SETTLED = (
    ".*does not have many workers.*",  # the data is in memory
    ".*number of training batches .* is smaller than the logging interval.*",  # we log by batches
    ".*module\\(s\\) in eval mode at the start of training.*",  # the averaged generator
    ".*have no `validation_step`.*",  # a foreign module's validation data serve its metrics
    ".*dataloader is not resumable.*",  # `warn_of_inexact_resume` says what that means
    ".*isinstance\\(treespec, LeafSpec\\).*",  # between Lightning and torch
)
"""Warnings of Lightning about matters that are settled here."""


def set_up_process() -> None:
    """Silences what Lightning says of matters that are settled here, and undoes one of its settings."""
    # With it, every optimizer step opens NVIDIA's management library anew: 0.3 ms, 3% of a small GAN's batch.
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"
    logging.getLogger("lightning").handlers.clear()  # the root logger says it too
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    logging.getLogger("lightning.pytorch.callbacks.model_summary").setLevel(logging.INFO)
    for message in SETTLED:
        warnings.filterwarnings("ignore", message)
