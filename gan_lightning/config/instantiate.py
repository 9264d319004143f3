"""Builds the objects that a configuration or a checkpoint names."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gan_lightning.config.allowlist import locate
from gan_lightning.config.arguments import INSTANTIATION_KEYS, argument_problems
from gan_lightning.errors import UserError

Config = dict[str, Any]
"""A resolved configuration: dicts, lists, strings, numbers, booleans and None."""


def instantiate(node: Any, section: str, **extra: Any) -> Any:
    """Builds the objects of nested containers: every dict with a `_target_` becomes the result of that call.

    The innermost call comes first. Strings are never interpreted. A network or data module that is not `Described`
    gets its dict as the attribute `spec`, so that it can be built again from a checkpoint.

    Args:
        node: Plain containers.
        section: The section of the configuration, for the allowlist.
        extra: Arguments of the outermost call, which replace those of the same name.

    Raises:
        PermissionError, LookupError: As of `locate`.
    """
    if isinstance(node, list):
        return [instantiate(child, section) for child in node]
    if not isinstance(node, dict):
        return node
    arguments = {name: instantiate(child, section) for name, child in node.items() if name not in INSTANTIATION_KEYS}
    if "_target_" not in node:
        return arguments
    called = locate(node["_target_"], section)
    if node.get("_partial_"):
        return functools.partial(called, **(arguments | extra))
    made = called(**(arguments | extra))
    describable = hasattr(made, "forward") or hasattr(made, "train_dataloader")
    if describable and not hasattr(made, "spec"):  # a class of the user's package
        made.spec = node
    return made


def build(config: Config, section: str, **extra: Any) -> Any:
    """Builds the objects of one section of a configuration.

    Args:
        config: The configuration.
        section: The name of the section.
        extra: Arguments of the outermost `_target_` that cannot be written in a configuration.

    Raises:
        UserError: The section names a class outside the allowlist, or has wrong arguments.
    """
    try:
        return instantiate(config[section], section, **extra)
    except (LookupError, PermissionError, TypeError, ValueError) as error:
        # A configuration that was not checked, such as a checkpoint's, may have problems: this line reports their keys.
        require_none(p for key, node in target_nodes(config[section], section) for p in argument_problems(key, node))
        if isinstance(error, ValueError):
            raise UserError(f"{section}: {error}") from error
        raise


def target_nodes(node: Any, path: str = "") -> Iterator[tuple[str, Config]]:
    """Yields every dict that has a `_target_`, with its key."""
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


def rebase_paths(node: Any, old: str, new: str) -> Any:
    """Replaces the folder `old` by `new` in all paths of a configuration."""
    if isinstance(node, dict):
        return {name: rebase_paths(child, old, new) for name, child in node.items()}
    if isinstance(node, list):
        return [rebase_paths(child, old, new) for child in node]
    inside = isinstance(node, str) and (node + "/").startswith(old + "/")
    return new + node[len(old) :] if inside else node


def value_at(config: Config, key: str, choices: Mapping[str, Any]) -> Any:
    """Returns the value of a key such as model.optimizer.lr, or the chosen option of a group; None if it is neither."""
    node: Any = config
    for name in key.split("."):
        node = node.get(name) if isinstance(node, dict) else None
    return choices.get(key) if node is None or isinstance(node, dict) else node
