"""The commands that come next after a run."""

from __future__ import annotations

import importlib.util
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning import LightningDataModule

from gan_lightning.config.instantiate import Config
from gan_lightning.data import ImageData
from gan_lightning.data.foreign import has_test_loader
from gan_lightning.training.continuation import continuation
from gan_lightning.training.run_folder import RunFolder


def next_commands(
    folder: Path, config: Config, summary: Mapping[str, Any], data: LightningDataModule
) -> dict[str, str]:
    """Returns commands for a run in `folder`, each by its purpose; those that would fail are left out.

    Args:
        folder: The run folder.
        config: The run's configuration.
        summary: The content of its `summary.json`.
        data: What it was trained on.
    """
    watch = (
        {"watch": shlex.join(["tensorboard", "--logdir", _log_folder(folder, config)])} if _is_logged(config) else {}
    )
    if not RunFolder(folder).last.exists():  # it has failed before its first checkpoint
        return watch
    place, options = shlex.quote(os.path.relpath(folder)), _evaluation_options(data)
    return {
        **watch,
        "generate": f"gan-generate {place} --num 64 --out grid.png",
        **({"evaluate": f"gan-evaluate {place}{options}"} if options is not None else {}),
        "resume": shlex.join(["gan-train", *continuation(folder, config, summary)]),
    }


def _is_logged(config: Config) -> bool:
    """Whether the run writes TensorBoard's files."""
    targets = [str((logger or {}).get("_target_")) for logger in config["logger"].values()]
    return any(target.endswith("TensorBoardLogger") for target in targets)


def _log_folder(folder: Path, config: Config) -> str:
    """The folder in which TensorBoard shows the run by its own name: that of all runs of this name, if there is one."""
    return os.path.relpath(folder.parent if folder.parent.name == config.get("name") else folder)


def _evaluation_options(data: Any) -> str | None:
    """The options with which `gan-evaluate` finds images to compare with and an extractor; None: there are none."""
    if not isinstance(data, ImageData):
        return "" if has_test_loader(data) else None
    unlabeled = data.classifier is None and data.train is not None and not _has_labels(data)
    extractor = "inception" if importlib.util.find_spec("torch_fidelity") else "random"
    return ("" if data.has_test() else " --split train") + (f" --extractor {extractor}" if unlabeled else "")


def _has_labels(data: ImageData) -> bool:
    assert data.train is not None
    labels = data.train.labels
    return bool((labels != 0).any() if labels.ndim == 2 else (labels >= 0).any())
