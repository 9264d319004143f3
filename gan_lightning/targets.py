"""What a configuration may call: the allowlist of `_target_`, and how the arguments given there are judged."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_type_hints

from beartype import BeartypeConf
from beartype.door import is_bearable

TRUST_VARIABLE = "GAN_LIGHTNING_TRUST"
_OWN = "gan_lightning"
_LIBRARIES = {
    "lightning": {"Trainer"},
    "lightning.pytorch": {"Trainer"},
    "lightning.pytorch.callbacks": None,
    "lightning.pytorch.loggers": None,
    "lightning.pytorch.profilers": None,
    "torch.nn": None,
    "torch.optim": None,
    "torch.optim.lr_scheduler": None,
}
"""Modules of other packages that may be named, and which names of them (None: every class they export)."""

_INSTANTIATION_KEYS = {"_target_", "_partial_", "_recursive_", "_convert_", "_args_"}


def locate(target: str) -> Callable[..., Any]:
    """The class or function that `target` names.

    Raises:
        PermissionError: it is outside the allowlist; nothing of it was imported.
        LookupError: it is inside, but there is no such class or function.
    """
    module_name, _, name = target.rpartition(".")
    root = module_name.partition(".")[0]
    trusted = {package for package in os.environ.get(TRUST_VARIABLE, "").split(",") if package}
    own = root == _OWN or root in trusted
    names = _LIBRARIES.get(module_name, set())
    if not own and names is not None and name not in names:
        raise PermissionError(
            f"{target} is not a class that a configuration may name. To use your own package, set the "
            f"environment variable {TRUST_VARIABLE}={root or 'my_package'}"
        )
    try:
        found = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise LookupError(f"{target} does not exist{_suggest_name(module_name, name)}") from error
    # A module also holds what it imported: only what its own package defines counts.
    home = str(getattr(found, "__module__", "")).partition(".")[0]
    if home != root or not (inspect.isclass(found) or (own and inspect.isfunction(found))):
        raise PermissionError(f"{target} is not a class or function of {root}")
    return found


def _suggest_name(module_name: str, name: str) -> str:
    try:
        candidates = dir(importlib.import_module(module_name))
    except ImportError:
        return ""
    return suggestion(name, candidates)


def suggestion(word: str, candidates: Iterator[str] | list[str]) -> str:
    """`; did you mean ...?`, or nothing."""
    close = difflib.get_close_matches(word, list(candidates), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def argument_problems(key: str, node: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the arguments that `node` gives to its `_target_`: names first, then types."""
    try:
        called = locate(node["_target_"])
    except (PermissionError, LookupError) as error:
        yield f"{key}._target_: {error}"
        return
    arguments = {name: value for name, value in node.items() if name not in _INSTANTIATION_KEYS}
    parameters = inspect.signature(called).parameters
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    hints = _hints(called)
    for name, value in arguments.items():
        if name not in parameters:
            if not open_ended:
                yield f"{key}.{name}: {node['_target_']} has no such argument{suggestion(name, list(parameters))}"
        elif not _holds_targets(value) and not _fits(value, hints.get(name, Any)):
            yield f"{key}.{name}={value!r}: expected {_spell(hints[name])}"
    if not node.get("_partial_"):
        for name, parameter in parameters.items():
            positional = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
            if parameter.default is parameter.empty and not positional and name not in arguments:
                yield f"{key}.{name}: {node['_target_']} needs this argument"


def _hints(called: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(called.__init__ if inspect.isclass(called) else called)  # type: ignore[misc]
    except (NameError, TypeError):
        return {}  # some libraries import their annotations for type checkers alone


def _holds_targets(value: Any) -> bool:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return (isinstance(value, dict) and "_target_" in value) or any(map(_holds_targets, children))


def _fits(value: Any, hint: Any) -> bool:
    if isinstance(value, bool) and hint in (int, float, int | None, float | None):
        return False
    rules = BeartypeConf(is_pep484_tower=True)  # an int may stand for a float
    # YAML has no tuples: a list may stand for one.
    return is_bearable(value, hint, conf=rules) or (
        isinstance(value, list) and is_bearable(tuple(value), hint, conf=rules)
    )


def _spell(hint: Any) -> str:
    return hint.__name__ if inspect.isclass(hint) else str(hint).replace("typing.", "").replace("collections.abc.", "")
