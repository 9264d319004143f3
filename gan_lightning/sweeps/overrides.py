"""The parsed overrides of a sweep."""

from __future__ import annotations

from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf


def overrides_of(config: DictConfig) -> dict[str, Override]:
    """The parsed overrides by key: the sweeper's parameters, then the command line; the last one of a key counts."""
    params = [f"{key}={value}" for key, value in (OmegaConf.select(config, "hydra.sweeper.params") or {}).items()]
    task: Any = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)
    parser = OverridesParser.create(GlobalHydra.instance().config_loader())
    return {override.key_or_group: override for override in parser.parse_overrides([*params, *task])}
