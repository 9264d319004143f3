"""The allowlist: the classes and functions that a configuration or a checkpoint may name as `_target_`."""

from __future__ import annotations

import difflib
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from gan_lightning.config.renamed import new_target

TRUST_VARIABLE = "GAN_LIGHTNING_TRUST"
_LAYERS = {"torch.nn", "torch.optim", "torch.optim.lr_scheduler"}
ALLOWED = {
    "data": {"gan_lightning.data"},
    "network": {"gan_lightning.networks"} | _LAYERS,
    "model": {f"gan_lightning.{name}" for name in ("models", "networks", "losses", "schedules")} | _LAYERS,
    "callbacks": {"gan_lightning.callbacks", "gan_lightning.evaluation", "lightning.pytorch.callbacks"},
    "logger": {"gan_lightning.training.loggers", "lightning.pytorch.loggers"},
    "trainer": {"gan_lightning.training.trainer", "lightning", "lightning.pytorch", "lightning.pytorch.profilers"},
}
"""The modules whose classes each section of a configuration may name; of ours, exported functions, too."""


def trusted_by_user() -> set[str]:
    """Returns what the user's environment variable names: packages, and folders of configurations (absolute paths).

    No configuration can set the variable: `config.guard` refuses it in hydra.job.env_set.
    """
    return {entry for entry in os.environ.get(TRUST_VARIABLE, "").split(",") if entry}


def locate(target: str, section: str) -> Callable[..., Any]:
    """Returns the class or function that `target` names in a section.

    Raises:
        PermissionError: It is outside the allowlist; then its module is not imported.
        LookupError: It is inside the allowlist, but there is no such class or function.
    """
    if not isinstance(target, str):  # of a checkpoint
        raise LookupError(f"{target!r}: expected the name of a class")
    renamed = new_target(target)
    if renamed is not None:
        raise LookupError(f"{target} is now {renamed}")
    module_name, _, name = target.rpartition(".")
    root = module_name.partition(".")[0]
    trusted = trusted_by_user()
    if root not in trusted and module_name not in ALLOWED.get(section, set()):
        known = sys.stdlib_module_names | {"gan_lightning", "lightning", "torch"}
        remedy = f". To use your own package, set the environment variable {TRUST_VARIABLE}={root or 'my_package'}"
        raise PermissionError(
            f"{target} is not a class that a configuration may name here{'' if root in known else remedy}"
        )
    try:
        found = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise LookupError(f"{target}: {error}{_suggest_name(module_name, name)}") from error
    # A module also has the names that it imports: only those that its own package defines are allowed.
    home = str(getattr(found, "__module__", "")).partition(".")[0]
    own_function = inspect.isfunction(found) and (root in trusted or _exports(module_name, name))
    if home != root or not (inspect.isclass(found) or own_function):
        raise PermissionError(f"{target} is not a class or function of {root}")
    return found


def _exports(module_name: str, name: str) -> bool:
    """Whether a package of ours exports this name; functions of others are never allowed."""
    return module_name.startswith("gan_lightning.") and name in getattr(sys.modules[module_name], "__all__", ())


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
