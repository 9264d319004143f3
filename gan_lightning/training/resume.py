"""Going on with a run: its own configuration, and the checkpoint that belongs to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_lightning.cli.suggestions import leaves
from gan_lightning.config.check import Config
from gan_lightning.config.resolvers import run_folder
from gan_lightning.config.targets import suggestion
from gan_lightning.errors import UserError
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


def resumed_config(place: str, overrides: Sequence[str]) -> DictConfig:
    """The configuration of the run at `place`, with the command line's changes to what may change."""
    folder = RunFolder(run_folder(place))
    if not folder.config.is_file():
        raise UserError(f"resume={place}: {folder.config} does not exist. Expected the folder of a run")
    config = OmegaConf.load(folder.config)
    assert isinstance(config, DictConfig)
    config = OmegaConf.create(_rebase_paths(OmegaConf.to_container(config), config.run_dir, str(folder.path)))
    OmegaConf.set_struct(config, True)
    changed = set()
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        key = override.key_or_group
        if key == "resume" or key.startswith("hydra"):
            continue
        if not key.startswith(CHANGEABLE) or key.startswith(FIXED):
            raise UserError(
                f"{override.input_line}: a resumed run keeps its configuration. What may change: "
                f"{', '.join(name + '*' if name.endswith('.') else name for name in CHANGEABLE)}; but not "
                f"{', '.join(FIXED)}"
            )
        try:
            OmegaConf.update(config, key, override.value(), force_add=override.is_add())
        except OmegaConfBaseException as error:
            raise UserError(f"{key}: no such key{suggestion(key, list(leaves(config)))}") from error
        changed.add(key)
    # The limit that is given is the one that counts, as in a new run.
    if "trainer.max_steps" in changed and "trainer.max_epochs" not in changed:
        config.trainer.max_epochs = -1
    if "trainer.max_epochs" in changed and "trainer.max_steps" not in changed:
        config.trainer.max_steps = -1
    return config


def _rebase_paths(node: Any, old: str, new: str) -> Any:
    """The same with paths below `old` leading below `new`: a run folder may have been moved."""
    if isinstance(node, dict):
        return {name: _rebase_paths(child, old, new) for name, child in node.items()}
    if isinstance(node, list):
        return [_rebase_paths(child, old, new) for child in node]
    inside = isinstance(node, str) and (node + "/").startswith(old + "/")
    return new + node[len(old) :] if inside else node


def same_config(folder: RunFolder, config: Config) -> bool:
    """Whether a folder is that of a run of this very configuration; what it is judged by is no part of it."""
    return folder.config.is_file() and not list(diff_config(folder, config))


def diff_config(folder: RunFolder, config: Config) -> Iterator[tuple[str, Any, Any]]:
    """In what a run folder's configuration is another: key, value there, value here."""
    there = yaml.safe_load(folder.config.read_text())
    return (difference for difference in _differences("", there, config) if difference[0] != "objective")


def matching_checkpoint(place: str | Path, config: Config) -> tuple[Path, int]:
    """The checkpoint to go on from and the batches it has behind it.

    Raises:
        UserError: there is none, it is damaged, or another configuration wrote it.
    """
    path = checkpoint.locate(str(place))
    saved = checkpoint.read(path)
    differences = [
        f"{key}: {there!r} in the checkpoint, {own!r} in the run folder"
        for section in ("model", "data", "seed")
        for key, there, own in _differences(section, saved["config"].get(section), config[section])
        if not key.startswith(CHANGEABLE)
    ]
    if differences:
        raise UserError(
            f"{path} was written by another configuration than {run_folder(place) / 'config.yaml'}:"
            + "".join(f"\n  {line}" for line in differences[:8])
        )
    return path, saved["global_step"]


def _differences(key: str, there: Any, own: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(there, dict) and isinstance(own, dict):
        for name in sorted(there.keys() | own.keys(), key=str):
            yield from _differences(f"{key}.{name}".lstrip("."), there.get(name), own.get(name))
    elif there != own:
        yield key, there, own
