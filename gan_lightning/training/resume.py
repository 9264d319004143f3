"""Going on with a run: its own configuration, and the checkpoint that belongs to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from gan_lightning.config.targets import Config
from gan_lightning.errors import UserError
from gan_lightning.files import run_folder_of
from gan_lightning.training import checkpoint
from gan_lightning.training.run_folder import RunFolder

CHANGEABLE = ("trainer.", "callbacks.", "data.root", "data.num_workers", "objective")
"""What may differ from the first session without making it another run."""
FIXED = (
    "trainer.precision",
    "callbacks.ema",
    *(f"callbacks.evaluation.{name}" for name in ("extractor", "num", "split", "seed")),
)
"""What may not, though it lies below."""


class ResumePoint(NamedTuple):
    """Where a run goes on: its checkpoint, and the batches it has behind it."""

    checkpoint: Path
    step: int


def same_config(folder: RunFolder, config: Config) -> bool:
    """Whether a folder is that of a run of this very configuration; what it is judged by is no part of it."""
    return folder.config.is_file() and not list(diff_config(folder, config))


def diff_config(folder: RunFolder, config: Config) -> Iterator[tuple[str, Any, Any]]:
    """In what a run folder's configuration is another: key, value there, value here."""
    there = yaml.safe_load(folder.config.read_text())
    return (difference for difference in _differences("", there, config) if difference[0] != "objective")


def matching_checkpoint(place: str | Path, config: Config) -> ResumePoint:
    """The checkpoint at `place` to go on from.

    Raises:
        UserError: there is none, it is damaged, or another configuration wrote it.
    """
    path = checkpoint.locate(str(place))
    saved = checkpoint.read(path)
    if "config" not in saved:
        raise UserError(
            f"{path} was written by a Trainer of your own: go on with it by trainer.fit(..., ckpt_path=...)"
        )
    differences = [
        f"{key}: {there!r} in the checkpoint, {own!r} in the run folder"
        for section in ("model", "data", "seed")
        for key, there, own in _differences(section, saved["config"].get(section), config[section])
        if not key.startswith(CHANGEABLE)
    ]
    if differences:
        raise UserError(
            f"{path} was written by another configuration than {run_folder_of(place) / 'config.yaml'}:"
            + "".join(f"\n  {line}" for line in differences[:8])
        )
    return ResumePoint(path, saved["global_step"])


def _differences(key: str, there: Any, own: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(there, dict) and isinstance(own, dict):
        for name in sorted(there.keys() | own.keys(), key=str):
            yield from _differences(f"{key}.{name}".lstrip("."), there.get(name), own.get(name))
    elif there != own:
        yield key, there, own
