"""Checks a composed configuration and reports every problem at once, before any data is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_lightning.config import rules
from gan_lightning.config.arguments import argument_problems
from gan_lightning.config.instantiate import Config, require_none, target_nodes
from gan_lightning.errors import UserError


def check(config: DictConfig) -> Config:
    """Returns the resolved configuration as plain containers.

    Raises:
        UserError: The configuration has problems; the message lists all of them, with the keys to change.
    """
    try:
        plain: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise UserError(f"{error.full_key or 'the configuration'}: {str(error).splitlines()[0]}") from error
    require_none(rules.structure_problems(plain))
    problems = list(_value_problems(config))
    faulty = {problem.partition("=")[0] for problem in problems}
    for key, node in target_nodes(plain):
        if not _is_copy(config, key):
            problems += [p for p in argument_problems(key, node) if p.partition("=")[0] not in faulty]
    require_none([*problems, *rules.cross_problems(plain)])
    return plain


def _value_problems(node: DictConfig | ListConfig, path: str = "") -> Iterator[str]:
    """Yields a message for each wrong value, at the key where it is set and not where an interpolation repeats it."""
    names: Iterable[Any] = node if isinstance(node, DictConfig) else range(len(node))
    if (
        str(node.get("_target_") if isinstance(node, DictConfig) else "").partition(".")[0]
        not in rules.CHECKED_PACKAGES
    ):
        return
    for name in names:
        key = f"{path}.{name}" if path else str(name)
        if _is_repeated(node, name):
            continue
        value = node[name]
        plain = OmegaConf.to_container(value, resolve=True) if isinstance(value, ListConfig) else value
        problem = None if isinstance(value, DictConfig) else rules.value_problem(key, plain)
        if problem:
            yield problem
        elif isinstance(value, DictConfig | ListConfig):
            yield from _value_problems(value, key)


def _is_repeated(node: DictConfig | ListConfig, name: Any) -> bool:
    """Whether the value of `name` is an interpolation of a section, or of a value with the same name."""
    if not OmegaConf.is_interpolation(node, name):
        return False
    raw: Any = OmegaConf.to_container(node, resolve=False)
    written = raw[name]
    return isinstance(node[name], DictConfig) or written.endswith((f".{name}}}", f"{{{name}}}"))


def _is_copy(config: DictConfig, key: str) -> bool:
    """Whether the section at `key` is an interpolation of another one, or lies inside such an interpolation."""
    node: Any = config
    for part in key.split("."):
        name = int(part) if isinstance(node, ListConfig) else part
        if OmegaConf.is_interpolation(node, name):
            return True
        node = node[name]
    return False
