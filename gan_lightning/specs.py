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
from numbers import Integral, Real
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
        spec = {"_target_": public_name(cls)} | spec_of(dict(zip(_positional_names(cls), args, strict=False)) | kwargs)
        object.__setattr__(made, "spec", spec)  # torch modules refuse ordinary attributes before their __init__
        return made


def _positional_names(cls: type) -> list[str]:
    """Returns the names of a constructor's arguments; `*args` stands for those of the next class in line."""
    for base in cls.__mro__:
        parameters = inspect.signature(vars(base)["__init__"]).parameters if "__init__" in vars(base) else {}
        if parameters and not any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters.values()):
            return list(parameters)[1:]
    return []


def spec_of(value: Any) -> Any:
    """Returns `value` as plain containers; what no configuration can name becomes `{UNKNOWN: its class or name}`."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str | Path):
        return str(value)
    if isinstance(value, Real):  # NumPy's numbers, too, which a checkpoint cannot hold
        return int(value) if isinstance(value, Integral) else float(value)
    if isinstance(value, Mapping):
        return {str(name): spec_of(child) for name, child in value.items()}
    if isinstance(getattr(value, "spec", None), dict):
        return value.spec
    if isinstance(value, functools.partial) and not value.args:
        return spec_of(value.func) | spec_of(value.keywords)
    if inspect.isclass(value) or inspect.isfunction(value):
        name = public_name(value)
        return {UNKNOWN: name} if "<" in name or name.startswith("__main__.") else {"_target_": name, "_partial_": True}
    if isinstance(value, Sequence):
        return [spec_of(child) for child in value]
    return {UNKNOWN: public_name(type(value))}


def unknown_parts(spec: Any, path: str = "") -> list[str]:
    """Returns the parts of a spec that cannot be built again, as `generator (my_package.Net)`."""
    if isinstance(spec, dict):
        if UNKNOWN in spec:
            return [f"{path} ({spec[UNKNOWN]})".lstrip()]
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
