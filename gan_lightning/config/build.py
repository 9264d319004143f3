"""From plain containers to the objects that they name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gan_lightning.config.targets import argument_problems, instantiate
from gan_lightning.errors import UserError

Config = dict[str, Any]
"""A resolved configuration: dicts, lists, strings, numbers, booleans and None."""


def build(config: Config, section: str, **extra: Any) -> Any:
    """Instantiates one section of a configuration, which may name nothing outside the allowlist.

    `extra` arguments, which no configuration can hold, go to the outermost `_target_`.

    Raises:
        UserError: it names something outside, or arguments that do not fit.
    """
    try:
        return instantiate(config[section], section, **extra)
    except (LookupError, PermissionError, TypeError, ValueError) as error:
        # A configuration that was not checked, such as a checkpoint's, may be at fault: then this says where.
        require_none(p for key, node in target_nodes(config[section], section) for p in argument_problems(key, node))
        if isinstance(error, ValueError):
            raise UserError(f"{section}: {error}") from error
        raise


def target_nodes(node: Any, path: str = "") -> Iterator[tuple[str, Config]]:
    """Every dict that names a `_target_`, with its key."""
    if isinstance(node, dict) and "_target_" in node:
        yield path, node
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, child in children:
        yield from target_nodes(child, f"{path}.{name}" if path else str(name))


def require_none(problems: Iterable[str]) -> None:
    """Raises a UserError that lists the problems, if there are any."""
    found = list(problems)
    if found:
        count = "a problem:" if len(found) == 1 else f"{len(found)} problems:"
        raise UserError(f"the configuration has {count}" + "".join(f"\n  {problem}" for problem in found))


def value_at(config: Config, key: str, choices: Mapping[str, Any]) -> Any:
    """The value of a key such as model.optimizer.lr; of a group the name of the choice; None where it is neither."""
    node: Any = config
    for name in key.split("."):
        node = node.get(name) if isinstance(node, dict) else None
    return choices.get(key) if node is None or isinstance(node, dict) else node
