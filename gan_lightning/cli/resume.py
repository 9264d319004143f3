"""The configuration of a resumed run, or of a branch: the saved one, with the changes of the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_lightning.cli.suggestions import leaves
from gan_lightning.config.allowlist import suggestion
from gan_lightning.config.instantiate import rebase_paths
from gan_lightning.config.places import texts
from gan_lightning.data.known_folders import is_known
from gan_lightning.errors import UserError
from gan_lightning.files import run_folder_of
from gan_lightning.training import branch, checkpoint
from gan_lightning.training.resume import WHAT_MAY_CHANGE, may_change
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
    folder = RunFolder(run_folder_of(place)).path
    config = _saved_config(f"resume={place}", folder, folder)
    _override(config, overrides, may_change, f"a resumed run keeps its configuration. {WHAT_MAY_CHANGE}")
    return config


def branched_config(place: str, overrides: Sequence[str], folder: str) -> DictConfig:
    """Returns the configuration of a new run that starts from a checkpoint of another one.

    Its `branch_from` says from which checkpoint and batch, and what was changed.

    Args:
        place: The other run's folder, which stands for its last checkpoint, or a checkpoint in it.
        overrides: The overrides of the command line, `key=value`.
        folder: The new run's folder.

    Raises:
        UserError: There is no such checkpoint, or an override changes a key that the checkpoint's state does not allow.
    """
    origin = checkpoint.locate(place).absolute()
    config = _saved_config(f"branch_from={place}", run_folder_of(origin), Path(folder))
    before: Any = OmegaConf.to_container(config)
    kept = f"a branch keeps the configuration of {origin}, as its state requires. {branch.WHAT_MAY_CHANGE}"
    changed = _override(config, overrides, branch.may_change, kept)
    for name in [key.removeprefix("model.optimizer.") for key in changed]:
        for player in ("generator", "discriminator"):  # a value that was the common one is so again
            own = config.model[f"{player}_optimizer"] or {}
            followed = name in own and own[name] == before["model"]["optimizer"].get(name)
            if followed and f"model.{player}_optimizer.{name}" not in changed:
                own[name] = config.model.optimizer[name]
    OmegaConf.update(config, "branch_from", None, force_add=True)
    OmegaConf.update(config, "init_from", None, force_add=True)
    config.branch_from = branch.origin(origin, before, OmegaConf.to_container(config))
    return config


def _saved_config(typed: str, saved: Path, folder: Path) -> DictConfig:
    """Returns the configuration of the run folder `saved`, with the paths of the run folder `folder`."""
    file = RunFolder(saved).config
    if not file.is_file():
        raise UserError(f"{typed}: {file} does not exist. Expected the folder of a run")
    content = read_yaml(file, dict)
    if not isinstance(content.get("run_dir"), str):
        raise UserError(f"{file}: run_dir={content.get('run_dir')!r}: expected the path of the run folder")
    for key, text in texts(content):  # the folder may come from elsewhere: nothing in it is interpolated
        if "${" in text:
            raise UserError(f"{file}: {key}={text!r}: expected a value, as a run writes it, not an interpolation")
    try:
        config = OmegaConf.create(rebase_paths(content, content["run_dir"], str(folder)))
    except OmegaConfBaseException as error:
        raise UserError(f"{file}: {str(error).splitlines()[0]}") from error
    OmegaConf.set_struct(config, True)
    return config


def _override(config: DictConfig, overrides: Sequence[str], allowed: Callable[[str], bool], kept: str) -> set[str]:
    """Changes the configuration by the command line's overrides, and returns their keys."""
    changed = set()
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        key = override.key_or_group
        if key in ("resume", "branch_from") or key.startswith("hydra"):
            continue
        if not allowed(key):
            raise UserError(f"{override.input_line}: {kept}")
        try:
            OmegaConf.update(config, key, override.value(), force_add=override.is_add())
        except OmegaConfBaseException as error:
            raise UserError(f"{key}: no such key{suggestion(key, list(leaves(config)))}") from error
        changed.add(key)
    if "download" in config.data and not {"data.root", "data.download"} & changed and not is_known(config.data.root):
        config.data.download = False  # into a folder that the user has never named
    # A length of the command line replaces the other ones, as in a new run.
    lengths = {"trainer.max_steps": -1, "trainer.max_epochs": -1, "trainer.max_images": None}
    if lengths.keys() & changed:
        for key in lengths.keys() - changed:
            OmegaConf.update(config, key, lengths[key], force_add=True)
    return changed
