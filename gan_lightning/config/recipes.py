"""What the files in `conf/` set for the choice they were written for, and what of it suits another choice.

A recipe such as `model=gan_r1` sets values for Adam. With another optimizer, those that it does not take are left out.
What the command line names is never left out: the checks then report it.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict

from gan_lightning.config.allowlist import locate
from gan_lightning.config.arguments import takes
from gan_lightning.config.options import conf_folder
from gan_lightning.yaml_file import read_yaml

_NOT_OF_EVERY_OPTIMIZER = ("betas", "fused", "momentum")
"""The arguments of optimizers that the files set, besides lr, which all have."""


def typed_keys(overrides: Sequence[str]) -> set[str]:
    """Returns the keys and groups that overrides name, and for a dict the keys of all of its values."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return {key for override in parsed for key in _leaves(override.value(), override.key_or_group)}


def fit_optimizer(config: DictConfig, typed: Collection[str], group: str | None) -> None:
    """Removes from a composed configuration the arguments of the files that the chosen optimizer does not take.

    Where the command line chooses the optimizer and no learning rate, and the learning rate is of a recipe for another
    one, a line says so.

    Args:
        config: The composed configuration, which is changed.
        typed: The keys of the command line.
        group: The chosen option of the group model/optimizer.
    """
    optimizer = OmegaConf.select(config, "model.optimizer", throw_on_missing=False)
    if not isinstance(optimizer, DictConfig) or OmegaConf.is_missing(optimizer, "_target_"):
        return
    target = optimizer.get("_target_")
    try:
        called = locate(target, "model")
    except (LookupError, PermissionError):
        return  # the checks report it
    for section in ("optimizer", "generator_optimizer", "discriminator_optimizer"):
        node = config.model.get(section)
        if isinstance(node, DictConfig):
            with open_dict(node):
                for name in _NOT_OF_EVERY_OPTIMIZER:
                    if name in node and f"model.{section}.{name}" not in typed and not takes(called, name):
                        del node[name]
    chosen = {"model/optimizer", "model.optimizer._target_"} & set(typed)
    if chosen and "model.optimizer.lr" not in typed and not _is_its_own_lr(group, target, optimizer.get("lr")):
        logging.getLogger(__name__).warning(
            "model.optimizer.lr=%s was chosen for another optimizer than %s: set it, too, if it does not suit",
            *(optimizer.get("lr"), target),
        )


def drop_absent_callbacks(config: DictConfig, typed: Collection[str], group: str | None) -> None:
    """Removes what experiments and metrics set for the default callbacks, if none of them was chosen.

    Args:
        config: The composed configuration, which is changed.
        typed: The keys of the command line.
        group: The chosen option of the group callbacks.
    """
    if group in (None, "none"):
        with open_dict(config):
            for name in list(config.get("callbacks") or {}):
                node, key = config.callbacks[name], f"callbacks.{name}"
                own = isinstance(node, DictConfig) and "_target_" in node
                if not own and not any(f"{each}.".startswith(f"{key}.") for each in typed):
                    del config.callbacks[name]


def _is_its_own_lr(group: str | None, target: str, lr: Any) -> bool:
    """Whether the file of the group model/optimizer sets this learning rate for this class."""
    file = conf_folder() / "model" / "optimizer" / f"{group}.yaml"
    own = read_yaml(file, dict)["optimizer"] if file.is_file() else {}
    return own.get("_target_") == target and float(own["lr"]) == lr


def _leaves(node: Any, key: str) -> Iterator[str]:
    if isinstance(node, dict):
        for name, child in node.items():
            yield from _leaves(child, f"{key}.{name}")
    else:
        yield key
