"""The configuration of a resumed run: the saved one, with the changes of the command line that are allowed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_lightning.cli.suggestions import leaves
from gan_lightning.config.allowlist import suggestion
from gan_lightning.config.places import texts
from gan_lightning.data.known_folders import is_known
from gan_lightning.errors import UserError
from gan_lightning.files import run_folder_of
from gan_lightning.training.resume import CHANGEABLE, FIXED
from gan_lightning.training.run_folder import RunFolder
from gan_lightning.yaml_file import read_yaml


def resumed_config(place: str, overrides: Sequence[str]) -> DictConfig:
    """Returns the saved configuration of a run with the command line's overrides.

    Args:
        place: The run folder, or a checkpoint in it.
        overrides: The overrides of the command line, `key=value`.

    Raises:
        UserError: There is no such run, or an override changes a key that a resumed run has to keep.
    """
    folder = RunFolder(run_folder_of(place))
    if not folder.config.is_file():
        raise UserError(f"resume={place}: {folder.config} does not exist. Expected the folder of a run")
    config = _saved_config(folder)
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
    if "download" in config.data and not {"data.root", "data.download"} & changed and not is_known(config.data.root):
        config.data.download = False  # into a folder that the user has never named
    # A limit of the command line replaces the other one, as in a new run.
    if "trainer.max_steps" in changed and "trainer.max_epochs" not in changed:
        config.trainer.max_epochs = -1
    if "trainer.max_epochs" in changed and "trainer.max_steps" not in changed:
        config.trainer.max_steps = -1
    return config


def _saved_config(folder: RunFolder) -> DictConfig:
    """Returns the configuration of a run folder, which may come from elsewhere: nothing in it is interpolated."""
    saved = read_yaml(folder.config, dict)
    if not isinstance(saved.get("run_dir"), str):
        raise UserError(f"{folder.config}: run_dir={saved.get('run_dir')!r}: expected the path of the run folder")
    for key, text in texts(saved):
        if "${" in text:
            raise UserError(
                f"{folder.config}: {key}={text!r}: expected a value, as a run writes it, not an interpolation"
            )
    try:
        return OmegaConf.create(_rebase_paths(saved, saved["run_dir"], str(folder.path)))
    except OmegaConfBaseException as error:
        raise UserError(f"{folder.config}: {str(error).splitlines()[0]}") from error


def _rebase_paths(node: Any, old: str, new: str) -> Any:
    """Replaces the folder `old` by `new` in all paths, since a run folder may have been moved."""
    if isinstance(node, dict):
        return {name: _rebase_paths(child, old, new) for name, child in node.items()}
    if isinstance(node, list):
        return [_rebase_paths(child, old, new) for child in node]
    inside = isinstance(node, str) and (node + "/").startswith(old + "/")
    return new + node[len(old) :] if inside else node
