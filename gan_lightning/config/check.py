"""From a composed configuration to a checked one: every problem at once, before any data loads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_lightning.errors import UserError

Config = dict[str, Any]
"""A resolved configuration: dicts, lists, strings, numbers, booleans and None."""


def value_at(config: Config, key: str, choices: Mapping[str, Any]) -> Any:
    """The value of a key such as model.optimizer.lr; of a group the name of the choice; None where it is neither."""
    node: Any = config
    for name in key.split("."):
        node = node.get(name) if isinstance(node, dict) else None
    return choices.get(key) if node is None or isinstance(node, dict) else node


# Checks


def check(config: DictConfig) -> Config:
    """The resolved configuration, as plain containers.

    Raises:
        UserError: lists every problem with the key to change.
    """
    from gan_lightning.config import rules
    from gan_lightning.config.targets import argument_problems

    try:
        plain: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise UserError(f"{error.full_key or 'the configuration'}: {str(error).splitlines()[0]}") from error
    require_none(rules.structure_problems(plain))
    problems = list(_value_problems(config))
    faulty = {problem.partition("=")[0] for problem in problems}
    for key, node in _targets(plain):
        if not _is_copy(config, key):
            problems += [p for p in argument_problems(key, node) if p.partition("=")[0] not in faulty]
    require_none([*problems, *rules.cross_problems(plain)])
    return plain


def require_none(problems: Iterable[str]) -> None:
    """Raises a UserError that lists the problems, if there are any."""
    found = list(problems)
    if found:
        count = "a problem:" if len(found) == 1 else f"{len(found)} problems:"
        raise UserError(f"the configuration has {count}" + "".join(f"\n  {problem}" for problem in found))


def _value_problems(node: DictConfig | ListConfig, path: str = "") -> Iterator[str]:
    """The faulty values, each where it stands rather than where an interpolation repeats it."""
    from gan_lightning.config.rules import value_problem

    names: Iterable[Any] = node if isinstance(node, DictConfig) else range(len(node))
    if str(node.get("_target_") if isinstance(node, DictConfig) else "").partition(".")[0] not in _JUDGED:
        return
    for name in names:
        key = f"{path}.{name}" if path else str(name)
        if _repeats(node, name):
            continue
        value = node[name]
        plain = OmegaConf.to_container(value) if isinstance(value, ListConfig) else value
        problem = None if isinstance(value, DictConfig) else value_problem(key, plain)
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


def _targets(node: Any, path: str = "") -> Iterator[tuple[str, Config]]:
    """Every dict that names a `_target_`, with its key."""
    if isinstance(node, dict) and "_target_" in node:
        yield path, node
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, child in children:
        yield from _targets(child, f"{path}.{name}" if path else str(name))


def _is_copy(config: DictConfig, key: str) -> bool:
    """Whether a node is an interpolation of another, or inside one."""
    node: Any = config
    for part in key.split("."):
        name = int(part) if isinstance(node, ListConfig) else part
        if OmegaConf.is_interpolation(node, name):
            return True
        node = node[name]
    return False


def build(config: Config, section: str, **extra: Any) -> Any:
    """Instantiates one section of a configuration, once all that it names has passed the allowlist.

    `extra` arguments, which no configuration can hold, go to the outermost `_target_`.

    Raises:
        UserError: it names something outside, or arguments that do not fit.
    """
    from gan_lightning.config.targets import argument_problems, instantiate

    require_none(p for key, node in _targets(config[section], section) for p in argument_problems(key, node))
    try:
        return instantiate(config[section], section, **extra)
    except ValueError as error:
        raise UserError(f"{section}: {error}") from error
