"""The configuration of a resumed run: the saved one, with the changes of the command line that are allowed."""

from __future__ import annotations

from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_lightning.cli.suggestions import leaves
from gan_lightning.config.allowlist import suggestion
from gan_lightning.errors import UserError
from gan_lightning.files import run_folder_of
from gan_lightning.training.resume import WHAT_MAY_CHANGE, may_change, rebase_paths
from gan_lightning.training.run_folder import RunFolder


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
    config = OmegaConf.load(folder.config)
    assert isinstance(config, DictConfig)
    config = OmegaConf.create(rebase_paths(OmegaConf.to_container(config), config.run_dir, str(folder.path)))
    OmegaConf.set_struct(config, True)
    changed = set()
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        key = override.key_or_group
        if key == "resume" or key.startswith("hydra"):
            continue
        if not may_change(key):
            raise UserError(f"{override.input_line}: a resumed run keeps its configuration. {WHAT_MAY_CHANGE}")
        try:
            OmegaConf.update(config, key, override.value(), force_add=override.is_add())
        except OmegaConfBaseException as error:
            raise UserError(f"{key}: no such key{suggestion(key, list(leaves(config)))}") from error
        changed.add(key)
    # A limit of the command line replaces the other one, as in a new run.
    if "trainer.max_steps" in changed and "trainer.max_epochs" not in changed:
        config.trainer.max_epochs = -1
    if "trainer.max_epochs" in changed and "trainer.max_steps" not in changed:
        config.trainer.max_steps = -1
    return config
