"""The defaults of a constructor are the values of its YAML file: from Python and from the command line, one thing."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, ListConfig, OmegaConf

from gan_lightning.config.options import conf_folder, options
from gan_lightning.config.resolvers import register_resolvers
from gan_lightning.config.targets import _parameters, locate

GROUPS = ("data", "network", "augment", "regularizer", "metrics", "model")
DIFFERENT = {
    "monitor": "A metric can be the monitor only where metrics=... computes one.",
    "condition_dim": "A data set counts the names of its classes; the number in YAML is what networks interpolate.",
}
"""Values that differ on purpose, by the key's last part, each with its reason."""


def described(config: DictConfig) -> Iterator[tuple[str, DictConfig]]:
    """The nodes of ours that name a class or a function, with their keys; the variants apart, which are their YAML."""
    for key in config:
        if OmegaConf.is_interpolation(config, key) or not isinstance(node := config[key], DictConfig):
            continue
        if str(node.get("_target_")).startswith("gan_lightning.") and not node._target_.startswith(
            "gan_lightning.models."
        ):
            yield str(key), node
        yield from ((f"{key}.{below}", part) for below, part in described(node))


def differences(config: DictConfig) -> Iterator[tuple[str, str]]:
    """Each value that is not its parameter's default, and the parameter's name."""
    for key, node in described(config):
        parameters, _ = _parameters(locate(node._target_, key.partition(".")[0]))
        for name in node:
            if name not in parameters or OmegaConf.is_interpolation(node, name) or isinstance(node[name], DictConfig):
                continue
            default = parameters[name].default
            value = tuple(node[name]) if isinstance(node[name], ListConfig) else node[name]
            expected = tuple(default) if isinstance(default, list) else default
            if default is not inspect.Parameter.empty and value != expected:
                yield f"{node._target_}: {key}.{name}={value} in YAML, {default} in Python", str(name)


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    """All differences, with the parameters' names; one composition looks at an option of every group."""
    register_resolvers()
    rows: Any = itertools.zip_longest(*(options(group) for group in GROUPS))
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        configs = [
            compose("config", [f"{group}={name}" for group, name in zip(GROUPS, row, strict=True) if name])
            for row in rows
        ]
    return dict(difference for config in configs for difference in differences(config))


def test_python_and_yaml_agree(found):
    assert [text for text, name in found.items() if name not in DIFFERENT] == []


def test_the_list_of_differences_has_no_dead_entry(found):
    assert set(found.values()) >= set(DIFFERENT)
