"""Objects that keep their constructor's arguments, so that a checkpoint alone is enough to build them again.

A spec consists of nested plain containers, as in a configuration: `{"_target_":
"gan_lightning.networks.MLPGenerator", "latent_dim": 64, ...}`. `gan_lightning.config.instantiate` builds the
object from it.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Spec = dict[str, Any]
UNKNOWN = "_unknown_"
"""The key that replaces `_target_` in the spec of a part whose arguments are not known."""


class Described:
    """A base class of networks, losses and models: `spec` has the arguments that an instance was built with."""

    spec: Spec

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        made = super().__new__(cls)
        signature = inspect.signature(cls.__init__)
        spec: Spec = {"_target_": public_name(cls)}
        for name, value in list(signature.bind_partial(made, *args, **kwargs).arguments.items())[1:]:
            passed_on = signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD
            spec |= spec_of(value) if passed_on else {name: spec_of(value)}
        object.__setattr__(made, "spec", spec)  # torch modules refuse ordinary attributes before their __init__
        return made


def spec_of(value: Any) -> Any:
    """Returns `value` as plain containers; an object without a spec becomes `{UNKNOWN: its class}`."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): spec_of(child) for name, child in value.items()}
    if hasattr(value, "spec") and not inspect.isclass(value):
        return value.spec
    if isinstance(value, functools.partial) and not value.args:
        return {"_target_": public_name(value.func), "_partial_": True} | spec_of(value.keywords)
    if inspect.isclass(value) or inspect.isfunction(value):
        return {"_target_": public_name(value), "_partial_": True}
    if isinstance(value, Sequence):
        return [spec_of(child) for child in value]
    return {UNKNOWN: public_name(type(value))}


def unknown_parts(spec: Any, path: str = "") -> list[str]:
    """Returns the parts of a spec that cannot be built again, as `generator (my_package.Net)`."""
    if isinstance(spec, dict):
        if UNKNOWN in spec:
            return [f"{path} ({spec[UNKNOWN]})"]
        return [part for name, child in spec.items() for part in unknown_parts(child, f"{path}.{name}".lstrip("."))]
    if isinstance(spec, list):
        return [part for index, child in enumerate(spec) for part in unknown_parts(child, f"{path}.{index}")]
    return []


def public_name(made: Callable[..., Any]) -> str:
    """Returns the dotted name of a class or function in a configuration: through the package that exports it."""
    parts, name = made.__module__.split("."), made.__qualname__
    for length in range(2, len(parts)):
        package = ".".join(parts[:length])
        if getattr(importlib.import_module(package), name, None) is made:
            return f"{package}.{name}"
    return f"{made.__module__}.{name}"
