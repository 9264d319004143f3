"""The overrides that go on with a run; a page of results needs them, and no torch, which takes seconds to import."""

from __future__ import annotations

import os
from pathlib import Path

from gan_lightning import schedules
from gan_lightning.config.instantiate import Config
from gan_lightning.config.quoting import quoted


def continuation(folder: Path, config: Config, step: int, ended: bool) -> list[str]:
    """Returns the overrides that go on with the run in `folder`.

    Args:
        folder: The run folder.
        config: The run's configuration.
        step: The number of batches that it has trained on.
        ended: Whether it has ended, so that it can only train longer: twice as long.
    """
    place = quoted(os.path.relpath(folder))
    # A run of another length would have had other values of these schedules.
    way = "branch_from" if ended and schedules.by_run((config.get("model") or {}).get("schedules")) else "resume"
    return [f"{way}={place}", *([twice_as_long(config, step)] if ended else [])]


def twice_as_long(config: Config, step: int) -> str:
    """Returns the override with which a run of `step` batches trains twice as long."""
    images = (config.get("trainer") or {}).get("max_images")  # which limits the run, whatever the number of batches
    return f"trainer.max_steps={2 * step}" if images is None else f"trainer.max_images={2 * images}"
