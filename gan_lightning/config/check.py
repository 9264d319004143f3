"""From a composed configuration to a checked one: every problem at once, before any data loads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_lightning.config import rules
from gan_lightning.config.targets import Config, argument_problems, require_none, target_nodes
from gan_lightning.errors import UserError


def check(config: DictConfig) -> Config:
    """The resolved configuration, as plain containers.

    Raises:
        UserError: lists every problem with the key to change.
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
    """The faulty values, each where it stands rather than where an interpolation repeats it."""
    names: Iterable[Any] = node if isinstance(node, DictConfig) else range(len(node))
    if str(node.get("_target_") if isinstance(node, DictConfig) else "").partition(".")[0] not in _JUDGED:
        return
    for name in names:
        key = f"{path}.{name}" if path else str(name)
        if _repeats(node, name):
            continue
        value = node[name]
        plain = OmegaConf.to_container(value, resolve=True) if isinstance(value, ListConfig) else value
        problem = None if isinstance(value, DictConfig) else rules.value_problem(key, plain)
        if problem:
            yield problem
        elif isinstance(value, DictConfig | ListConfig):
            yield from _value_problems(value, key)


_JUDGED = ("", "None", "gan_lightning", "lightning", "torch")
"""The packages whose arguments have the names that `rules.RULES` knows."""


def _repeats(node: DictConfig | ListConfig, name: Any) -> bool:
    """Whether a value is an interpolation of a section, or of a value of the same name."""
    if not OmegaConf.is_interpolation(node, name):
        return False
    raw: Any = OmegaConf.to_container(node, resolve=False)
    written = raw[name]
    return isinstance(node[name], DictConfig) or written.endswith((f".{name}}}", f"{{{name}}}"))


def _is_copy(config: DictConfig, key: str) -> bool:
    """Whether a node is an interpolation of another, or inside one."""
    node: Any = config
    for part in key.split("."):
        name = int(part) if isinstance(node, ListConfig) else part
        if OmegaConf.is_interpolation(node, name):
            return True
        node = node[name]
    return False
