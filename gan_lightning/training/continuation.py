"""The overrides that go on with a run; a page of results needs them, and no torch, which takes seconds to import."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gan_lightning import schedules
from gan_lightning.config.instantiate import Config
from gan_lightning.config.quoting import quoted
from gan_lightning.training.run_folder import ENDED


def continuation(folder: Path, config: Config, summary: Mapping[str, Any]) -> list[str]:
    """Returns the overrides that go on with the run in `folder`: with one that has ended, for twice as long.

    A run that has stopped before its end goes on to that end.

    Args:
        folder: The run folder.
        config: The run's configuration.
        summary: The content of its `summary.json`.
    """
    place = quoted(os.path.relpath(folder))
    if summary.get("stopped_at"):
        return [f"resume={place}", "callbacks.early_stopping=null"]
    if summary["status"] == "stopped":  # by the doctor, which would stop it again
        return [f"resume={place}", "callbacks.doctor.on_collapse=warn"]
    ended = summary["status"] in ENDED
    # A run of another length would have had other values of these schedules.
    way = "branch_from" if ended and schedules.by_run((config.get("model") or {}).get("schedules")) else "resume"
    return [f"{way}={place}", *([twice_as_long(config, summary["step"])] if ended else [])]


def twice_as_long(config: Config, step: int) -> str:
    """Returns the override with which a run of `step` batches trains twice as long."""
    images = (config.get("trainer") or {}).get("max_images")  # which limits the run, whatever the number of batches
    return f"trainer.max_steps={2 * step}" if images is None else f"trainer.max_images={2 * images}"
