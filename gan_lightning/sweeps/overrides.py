"""The parsed overrides of a sweep, and the jobs that they make."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_lightning.errors import UserError

log = logging.getLogger(__name__)


def overrides_of(config: DictConfig) -> dict[str, Override]:
    """The parsed overrides by key: the sweeper's parameters, then the command line; the last one of a key counts."""
    params = [f"{key}={value}" for key, value in (OmegaConf.select(config, "hydra.sweeper.params") or {}).items()]
    task: Any = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)
    parser = OverridesParser.create(GlobalHydra.instance().config_loader())
    return {override.key_or_group: override for override in parser.parse_overrides([*params, *task])}


def values_with_effect(overrides: Iterable[Override]) -> dict[str, str]:
    """The values of the overrides that all jobs have, by key, without those that change no result."""
    from gan_lightning.sweeps.collect import WITHOUT_EFFECT  # --help does not need what it imports

    return {
        each.get_key_element(): each.get_value_element_as_str()
        for each in overrides
        if not each.is_sweep_override() and not each.key_or_group.startswith(WITHOUT_EFFECT)
    }


def require_same_command(what: str, there: Mapping[str, Any], here: Mapping[str, Any], way_on: str) -> None:
    """Raises a UserError with the keys that differ if `what` was begun by another command than this one."""
    keys = sorted(key for key in there.keys() | here.keys() if there.get(key) != here.get(key))
    if keys:
        lines = "".join(f"\n  {key}: {there.get(key)} there, {here.get(key)} here" for key in keys)
        raise UserError(f"{what} was begun by another command:{lines}\n{way_on}")


def launch(launcher: Launcher, jobs: list[list[str]], first: int) -> None:
    """Launches jobs; a launcher that loses them, such as with the process that trains, fails them alone.

    Args:
        launcher: Hydra's launcher.
        jobs: The overrides of each job.
        first: The number of the first of them.
    """
    try:
        launcher.launch(jobs, initial_job_idx=first)
    except (UserError, HydraException, OmegaConfBaseException):  # a mistake in the command, the same for all jobs
        raise
    except Exception as error:  # launchers raise many types
        log.error("hydra/launcher: %s: %s", type(error).__name__, next(iter(str(error).splitlines()), ""))
