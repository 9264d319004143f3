"""Hydra composes each choice of options of `conf/` once: it takes 0.2 s, far more than a tiny run trains."""

import copy
import dataclasses
from pathlib import Path
from typing import Any

import hydra._internal.config_loader_impl as loader
import hydra._internal.defaults_list as defaults_list
import pytest
from hydra._internal.config_repository import ConfigRepository
from omegaconf import DictConfig

CONF = Path(__file__).resolve().parents[1] / "conf"


def compose_once(patch: pytest.MonkeyPatch) -> None:
    """Keeps what Hydra makes of the same options; values of the command line are set in a copy of it, by Hydra.

    Folders other than `conf/`, which a test may change, and sweeps are composed each time.
    """
    lists: dict[Any, Any] = {}
    composed: dict[int, DictConfig | None] = {}
    parsed: dict[str, Any] = {}
    create, compose = loader.create_defaults_list, loader.ConfigLoaderImpl._compose_config_from_defaults_list
    load = ConfigRepository.load_config

    def is_ours(repo):
        return [source.path for source in repo.get_sources() if source.scheme() == "file"] == [str(CONF)]

    def load_copy(self, config_path):
        if not is_ours(self):
            return load(self, config_path)
        if config_path not in parsed:
            parsed[config_path] = load(self, config_path)
        return copy.deepcopy(parsed[config_path])

    def create_once(repo, config_name, overrides_list, prepend_hydra, skip_missing):
        if not is_ours(repo) or any(override.is_sweep_override() for override in overrides_list):
            return create(repo, config_name, overrides_list, prepend_hydra, skip_missing)
        groups = [each for each in overrides_list if repo.group_exists(each.key_or_group)]
        groups = [each for each in groups if not isinstance(each.value(), dict)]
        values = [each for each in overrides_list if each not in groups]
        key = (defaults_list.Overrides, config_name, *(each.input_line for each in groups), prepend_hydra, skip_missing)
        if key not in lists:
            lists[key] = create(repo, config_name, groups, prepend_hydra, skip_missing)
            composed[id(lists[key].defaults)] = None
        return dataclasses.replace(lists[key], config_overrides=values)

    def compose_copy(self, defaults, repo):
        if id(defaults) not in composed:
            return compose(self, defaults, repo)
        if composed[id(defaults)] is None:
            composed[id(defaults)] = compose(self, defaults, repo)
        return copy.deepcopy(composed[id(defaults)])

    patch.setattr(ConfigRepository, "load_config", load_copy)
    patch.setattr(loader, "create_defaults_list", create_once)
    patch.setattr(loader.ConfigLoaderImpl, "_compose_config_from_defaults_list", compose_copy)
