"""`_target_` in a configuration: the allowlist, the check of the arguments, and the call."""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, get_type_hints

from beartype import BeartypeConf
from beartype.door import is_bearable

from gan_lightning.config.renamed import new_target
from gan_lightning.errors import UserError
from gan_lightning.specs import Described

Config = dict[str, Any]
"""A resolved configuration: dicts, lists, strings, numbers, booleans and None."""
TRUST_VARIABLE = "GAN_LIGHTNING_TRUST"
_LAYERS = {"torch.nn", "torch.optim", "torch.optim.lr_scheduler"}
_CALLABLE = {
    "data": {"gan_lightning.data"},
    "network": {"gan_lightning.networks"} | _LAYERS,
    "model": {
        *("gan_lightning.models", "gan_lightning.networks", "gan_lightning.losses"),
    }
    | _LAYERS,
    "callbacks": {"gan_lightning.callbacks", "gan_lightning.evaluation", "lightning.pytorch.callbacks"},
    "logger": {"lightning.pytorch.loggers"},
    "trainer": {"lightning", "lightning.pytorch", "lightning.pytorch.profilers"},
}
"""The allowlist: the modules whose classes each section of a configuration may name."""

_INSTANTIATION_KEYS = {"_target_", "_partial_"}


def locate(target: str, section: str) -> Callable[..., Any]:
    """Returns the class or function that `target` names in a section.

    Raises:
        PermissionError: It is outside the allowlist; then its module is not imported.
        LookupError: It is inside the allowlist, but there is no such class or function.
    """
    renamed = new_target(target)
    if renamed is not None:
        raise LookupError(f"{target} is now {renamed}")
    module_name, _, name = target.rpartition(".")
    root = module_name.partition(".")[0]
    trusted = {package for package in os.environ.get(TRUST_VARIABLE, "").split(",") if package}
    if root not in trusted and module_name not in _CALLABLE.get(section, set()):
        raise PermissionError(
            f"{target} is not a class that a configuration may name here. To use your own package, set the "
            f"environment variable {TRUST_VARIABLE}={root or 'my_package'}"
        )
    try:
        found = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise LookupError(f"{target}: {error}{_suggest_name(module_name, name)}") from error
    # A module also has the names that it imports: only those that its own package defines are allowed.
    home = str(getattr(found, "__module__", "")).partition(".")[0]
    own_function = inspect.isfunction(found) and (
        root in trusted or name in getattr(sys.modules[module_name], "__all__", ())
    )
    if home != root or not (inspect.isclass(found) or own_function):
        raise PermissionError(f"{target} is not a class or function of {root}")
    return found


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
    arguments = {name: instantiate(child, section) for name, child in node.items() if name not in _INSTANTIATION_KEYS}
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


def value_at(config: Config, key: str, choices: Mapping[str, Any]) -> Any:
    """Returns the value of a key such as model.optimizer.lr, or the chosen option of a group; None if it is neither."""
    node: Any = config
    for name in key.split("."):
        node = node.get(name) if isinstance(node, dict) else None
    return choices.get(key) if node is None or isinstance(node, dict) else node


def _suggest_name(module_name: str, name: str) -> str:
    try:
        candidates = dir(importlib.import_module(module_name))
    except ImportError:
        return ""
    return suggestion(name, candidates)


def suggestion(word: str, candidates: Iterator[str] | list[str]) -> str:
    """Returns `; did you mean ...?` with the candidate nearest to `word`, or "" if none is near."""
    close = difflib.get_close_matches(word, list(candidates), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def argument_problems(key: str, node: Mapping[str, Any]) -> Iterator[str]:
    """Yields a message for each argument of a `_target_` that is unknown, missing or of a wrong type.

    Args:
        key: The key of `node` in the configuration.
        node: A dict with a `_target_`.
    """
    if not isinstance(node["_target_"], str):
        yield f"{key}._target_={node['_target_']!r}: expected the name of a class"
        return
    try:
        called = locate(node["_target_"], key.partition(".")[0])
    except (PermissionError, LookupError) as error:
        yield f"{key}._target_: {error}"
        return
    arguments = {name: value for name, value in node.items() if name not in _INSTANTIATION_KEYS}
    parameters, hints = _parameters(called)
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    for name, value in arguments.items():
        if name not in parameters:
            if not open_ended:
                yield f"{key}.{name}: {node['_target_']} has no such argument{suggestion(name, list(parameters))}"
        elif not _has_targets(value) and not _fits(value, hints.get(name, Any)):
            yield f"{key}.{name}={value!r}: expected {_type_name(hints[name])}"
    for name, parameter in parameters.items():
        given_later = node.get("_partial_") and parameter.kind is not parameter.KEYWORD_ONLY
        optional = parameter.default is not parameter.empty or _passes_on(parameter) or given_later
        if not optional and name not in arguments:
            yield f"{key}.{name}: {node['_target_']} needs this argument"


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
    if isinstance(value, bool) and hint in (int, float, int | None, float | None):
        return False
    rules = BeartypeConf(is_pep484_tower=True)  # allows an int for a float
    # YAML has no tuples: a list is allowed for one.
    return is_bearable(value, hint, conf=rules) or (
        isinstance(value, list) and is_bearable(tuple(value), hint, conf=rules)
    )


def _type_name(hint: Any) -> str:
    return hint.__name__ if inspect.isclass(hint) else str(hint).replace("typing.", "").replace("collections.abc.", "")
