"""What a rollback changes in the configuration of a run whose modes collapse, as the doctor advises."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from gan_lightning.config.instantiate import Config, value_at
from gan_lightning.errors import UserError
from gan_lightning.models.rebuild import Checkpoint

LEARNING_RATES = tuple(f"model.{name}.lr" for name in ("optimizer", "generator_optimizer", "discriminator_optimizer"))
R1 = "model.penalties.r1"
STRONGER_R1, SMALLER_LR = 10.0, 0.25
"""The factors of R1's weight, at every rollback, and of the learning rates, from the second one on."""
Rollback = dict[str, Any]
"""A rollback: the batches `from` and `to`, the `reason`, the `changes`, new values by key, and `changed`, in words."""


def changes(config: Config, earlier: int) -> Config:
    """Returns the values that a rollback changes, by key.

    Args:
        config: The configuration of the run so far.
        earlier: The number of rollbacks before this one.
    """
    weight = value_at(config, f"{R1}.weight", {})
    if weight is None:
        changed: Config = {R1: {"_target_": "gan_lightning.losses.r1", "_partial_": True, "weight": 1.0}}
    else:
        changed = {f"{R1}.weight": STRONGER_R1 * weight}
    rates = {key: value_at(config, key, {}) for key in LEARNING_RATES} if earlier else {}
    return changed | {key: SMALLER_LR * rate for key, rate in rates.items() if rate is not None}


def in_words(changed: Config) -> str:
    """Returns changes as overrides; of a penalty that is added, its weight."""
    return ", ".join(
        f"{key}.weight={value['weight']:g}" if isinstance(value, dict) else f"{key}={value:g}"
        for key, value in changed.items()
    )


def applied(config: Config, rollbacks: Sequence[Rollback]) -> Config:
    """Returns the configuration with what rollbacks have changed."""
    config = deepcopy(config)
    for rollback in rollbacks:
        for key, value in rollback["changes"].items():
            *path, name = key.split(".")
            node = config
            for part in path:
                node[part] = node.get(part) or {}
                node = node[part]
            node[name] = deepcopy(value)  # a later rollback may change what is in it
    return config


def of_checkpoint(saved: Checkpoint) -> Sequence[Rollback]:
    """Returns the rollbacks before a checkpoint."""
    return saved["callbacks"].get("Doctor", {}).get("rollbacks", ())


def require_possible(config: Config, in_cluster: bool) -> None:
    """Raises a UserError if the run may be rolled back, and its processes could not begin again."""
    if value_at(config, "callbacks.doctor.on_collapse", {}) != "rollback":
        return
    key = "callbacks.doctor.on_collapse=rollback"
    if in_cluster:
        raise UserError(
            f"{key}: torchrun or Slurm has started the processes, which end at a rollback; use stop or warn"
        )
    if value_at(config, "callbacks.checkpoints.folder", {}) is None:
        raise UserError(f"{key}: it goes back to a checkpoint; set callbacks.checkpoints, or use stop or warn")
