"""Resuming a run: the comparison of configurations, and the checkpoint to start from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from gan_lightning.config.instantiate import Config
from gan_lightning.errors import UserError
from gan_lightning.files import run_folder_of
from gan_lightning.training import checkpoint
from gan_lightning.training.run_folder import RunFolder
from gan_lightning.yaml_file import read_yaml

CHANGEABLE = ("trainer.", "callbacks.", "data.root", "data.download", "data.num_workers", "objective")
"""The keys that may change when a run is resumed, and the beginnings of such keys."""
FIXED = (
    "trainer.precision",
    "callbacks.ema",
    *(f"callbacks.evaluation.{name}" for name in ("extractor", "num", "split", "seed")),
)
"""The exceptions: keys that may not change, though their beginning is in CHANGEABLE."""


class ResumePoint(NamedTuple):
    """The checkpoint that a run resumes from, and the number of batches before it."""

    checkpoint: Path
    step: int


def same_config(folder: RunFolder, config: Config) -> bool:
    """Whether the folder has a run of the same configuration; `objective` may differ."""
    return folder.config.is_file() and not list(diff_config(folder, config))


def diff_config(folder: RunFolder, config: Config) -> Iterator[tuple[str, Any, Any]]:
    """Yields the differences from a run folder's configuration: key, value there, value here."""
    there = read_yaml(folder.config, dict)
    return (difference for difference in _differences("", there, config) if difference[0] != "objective")


def matching_checkpoint(place: str | Path, config: Config) -> ResumePoint:
    """Returns the checkpoint at `place`, a run folder or a file, as a point to resume from.

    Raises:
        UserError: There is none, it is damaged, or it was written with another configuration.
    """
    path = checkpoint.locate(str(place))
    saved = checkpoint.read(path)
    if "config" not in saved:
        raise UserError(
            f"{path} was written by a Trainer of your own: go on with it by trainer.fit(..., ckpt_path=...)"
        )
    checkpoint.require_resumable(saved, path)
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
