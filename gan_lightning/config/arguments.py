"""Checks the arguments that a configuration gives to a `_target_`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from beartype import BeartypeConf
from beartype.door import is_bearable

from gan_lightning.config.allowlist import locate, suggestion
from gan_lightning.specs import Described

_TYPES = BeartypeConf(is_pep484_tower=True)
"""Allows an int for a float."""
_UNIONS = (Union, UnionType)
INSTANTIATION_KEYS = {"_target_", "_partial_"}
"""The keys of a dict with a `_target_` that are no arguments."""


def argument_problems(key: str, node: Mapping[str, Any]) -> Iterator[str]:
    """Yields a message for each argument of a `_target_` that is unknown, missing or of a wrong type.

    Args:
        key: The key of `node` in the configuration.
        node: A dict with a `_target_`.
    """
    if not isinstance(node["_target_"], str):
        yield f"{key}._target_={shown(node['_target_'])}: expected the name of a class"
        return
    try:
        called = locate(node["_target_"], key.partition(".")[0])
    except (PermissionError, LookupError) as error:
        yield f"{key}._target_: {error}"
        return
    whole = key.count(".") == (key.partition(".")[0] in ("callbacks", "logger"))
    if not isinstance(node.get("_partial_", False), bool) or (whole and node.get("_partial_")):
        yield f"{key}._partial_={node['_partial_']!r}: expected false, or to be left out"
    arguments = {name: value for name, value in node.items() if name not in INSTANTIATION_KEYS}
    parameters, hints = _parameters(called)
    for name, value in arguments.items():
        if name not in parameters:
            if not takes(called, name):
                yield f"{key}.{name}: {node['_target_']} has no such argument{suggestion(name, list(parameters))}"
        elif not _has_targets(value) and not _fits(value, hints.get(name, Any)):
            yield f"{key}.{name}={shown(value)}: expected {_type_name(hints[name])}"
    for name, parameter in parameters.items():
        given_later = node.get("_partial_") and parameter.kind is not parameter.KEYWORD_ONLY
        optional = parameter.default is not parameter.empty or _passes_on(parameter) or given_later
        if not optional and name not in arguments:
            yield f"{key}.{name}: {node['_target_']} needs this argument"


def takes(called: Callable[..., Any], name: str) -> bool:
    """Whether a class or function takes an argument of this name."""
    parameters, _ = _parameters(called)
    return name in parameters or any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())


def default_of(node: Mapping[str, Any], name: str, section: str) -> Any:
    """Returns what an argument is that a dict with a `_target_` leaves out, in the types of YAML; None if unknown.

    Args:
        node: The dict.
        name: The argument.
        section: The section of the configuration, for the allowlist.
    """
    try:
        parameters, _ = _parameters(locate(node["_target_"], section))
    except (PermissionError, LookupError):
        return None
    default = parameters[name].default if name in parameters else None
    if default is inspect.Parameter.empty:
        return None
    return list(default) if isinstance(default, tuple) else default


def shown(value: Any) -> str:
    """Returns a value as a message shows it, shortened to less than a line."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text)} characters)"


def _parameters(called: Callable[..., Any]) -> tuple[dict[str, inspect.Parameter], dict[str, Any]]:
    """Returns parameters and type hints, with those of base classes that get `*args` and `**kwargs`."""
    functions = [called]
    if inspect.isclass(called):
        functions = [vars(base)["__init__"] for base in called.__mro__ if "__init__" in vars(base)]
    ours = inspect.isclass(called) and issubclass(called, Described)  # in other packages **kwargs may go elsewhere
    parameters: dict[str, inspect.Parameter] = {}
    hints: dict[str, Any] = {}
    for function in functions:
        own = dict(inspect.signature(function).parameters)
        own.pop("self", None)
        parameters = own | {name: kind for name, kind in parameters.items() if not _passes_on(kind)}
        hints = _hints(function) | hints
        keywords = any(parameter.kind is parameter.VAR_KEYWORD for parameter in own.values())
        if not (keywords and ours) and sum(map(_passes_on, own.values())) < 2:
            break
    return parameters, hints


def _passes_on(parameter: inspect.Parameter) -> bool:
    return parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)


def _hints(called: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(called)
    except (NameError, TypeError):
        return {}  # some libraries import the types of their annotations only for type checkers


def _has_targets(value: Any) -> bool:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return (isinstance(value, dict) and "_target_" in value) or any(map(_has_targets, children))


def _fits(value: Any, hint: Any) -> bool:
    return any(_fits_one(value, one) for one in (get_args(hint) if get_origin(hint) in _UNIONS else (hint,)))


def _fits_one(value: Any, hint: Any) -> bool:
    if isinstance(value, bool) and hint in (int, float):
        return False
    origin = get_origin(hint)
    # Of a long list, beartype would check one item that it draws. YAML has no tuples: a list is allowed for one.
    if isinstance(value, list) and inspect.isclass(origin) and issubclass(list, origin):
        return all(_fits(item, get_args(hint)[0]) for item in value)
    return is_bearable(tuple(value) if isinstance(value, list) and origin is tuple else value, hint, conf=_TYPES)


def _type_name(hint: Any) -> str:
    return hint.__name__ if inspect.isclass(hint) else str(hint).replace("typing.", "").replace("collections.abc.", "")
