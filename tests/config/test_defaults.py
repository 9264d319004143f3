"""The defaults of a constructor are the values of its YAML file: from Python and from the command line, one thing."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, ListConfig, OmegaConf

from gan_lightning.config.allowlist import locate
from gan_lightning.config.arguments import _parameters
from gan_lightning.config.options import conf_folder, options
from gan_lightning.config.resolvers import register_resolvers

SECTIONS = {
    "augment": "model",
    "callbacks": "callbacks",
    "data": "data",
    "early_stopping": "callbacks",
    "generator_regularizer": "model",
    "metrics": "callbacks",
    "model/loss": "model",
    "model/penalties": "model",
    "model/phases": "model",
    "network": "network",
    "regularizer": "model",
}
"""The groups whose options describe a class, and the section that holds it. A variant's values are its paper's."""
DIFFERENT = {
    "begin": "The batch at which LeCam's authors begin; any other constant begins at once.",
    "condition_dim": "A data set counts the names of its classes; the number in YAML is what networks interpolate.",
    "floor": "The paper's nu, of top-k alone.",
    "unit": "A part that changes until the end has a curve over the run; any other counts batches.",
}
"""Values that differ on purpose, by the key's last part, each with its reason."""


def described(node: DictConfig) -> Iterator[DictConfig]:
    """The node and those below it that name a class or a function of ours."""
    if str(node.get("_target_")).startswith("gan_lightning."):
        yield node
    for name in node:
        if not OmegaConf.is_interpolation(node, name) and isinstance(node[name], DictConfig):
            yield from described(node[name])


def differences(node: DictConfig, section: str) -> Iterator[tuple[str, str]]:
    """Each value that is not its parameter's default, in words, and the parameter's name."""
    parameters, _ = _parameters(locate(node._target_, section))
    for name in node:
        if name not in parameters or OmegaConf.is_interpolation(node, name) or isinstance(node[name], DictConfig):
            continue
        default = parameters[name].default
        value = tuple(node[name]) if isinstance(node[name], ListConfig) else node[name]
        expected = tuple(default) if isinstance(default, list) else default
        if default is not inspect.Parameter.empty and value != expected:
            yield f"{node._target_}: {name}={value} in YAML, {default} in Python", str(name)


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    """All differences, with the parameters' names, of all options, which one composition puts beside each other."""
    register_resolvers()
    beside = [f"+{group}@{group.replace('/', '_')}_{name}={name}" for group in SECTIONS for name in options(group)]
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        config = compose("config", beside)
    return dict(
        difference
        for group, section in SECTIONS.items()
        for name in options(group)
        for node in described(config.get(f"{group.replace('/', '_')}_{name}") or OmegaConf.create())
        for difference in differences(node, section)
    )


def test_python_and_yaml_agree(found):
    assert [text for text, name in found.items() if name not in DIFFERENT] == []


def test_the_list_of_differences_has_no_dead_entry(found):
    assert set(found.values()) >= set(DIFFERENT)
