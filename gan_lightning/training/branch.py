"""A branch: a new run that starts from a checkpoint of another one, with other hyperparameters of the optimizers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from gan_lightning.config.instantiate import Config, build
from gan_lightning.errors import UserError
from gan_lightning.losses import Player
from gan_lightning.models import GAN
from gan_lightning.models.rebuild import Checkpoint
from gan_lightning.training import checkpoint, resume
from gan_lightning.training.resume import ResumePoint
from gan_lightning.training.run_folder import RunFolder

CHANGEABLE = (
    *("model.optimizer.", "model.generator_optimizer", "model.discriminator_optimizer", "model.scheduler"),
    *("model.schedules", "model.gradient_clip_norm", "model.penalties", "model.penalty_every"),
)
"""The keys that may change in a branch beside those of a resumed run: they have no state, or one that can be kept."""
WHAT_MAY_CHANGE = (
    f"What may change: {', '.join(name.rstrip('.') for name in CHANGEABLE)}, and as in a resumed run, "
    + (resume.WHAT_MAY_CHANGE.partition(": ")[2])
)
"""The same, for messages."""


def may_change(key: str) -> bool:
    """Whether the key may change in a branch."""
    return key.startswith(CHANGEABLE) or resume.may_change(key)


def origin(path: Path, before: Any, after: Any) -> Config:
    """Returns the section `branch_from` of a branch's configuration: the checkpoint, its step, and what was changed.

    Raises:
        UserError: The checkpoint is damaged.
    """
    changes = [
        f"{key}: {here} (was {there})"
        for key, there, here in resume.differences("model", before["model"], after["model"])
    ]
    return {"checkpoint": str(path), "step": checkpoint.read(path)["global_step"], "changes": changes}


def begin(config: Config, folder: RunFolder) -> ResumePoint:
    """Writes the first checkpoint of a branch into its folder.

    It is the checkpoint that `config["branch_from"]` names, with all hyperparameters of the optimizers from `config`,
    and with the schedules of the learning rate where they would be, had the run had them from its first batch.

    Raises:
        UserError: The checkpoint is damaged, belongs to other networks or data, or its optimizers have another state.
    """
    path = Path(config["branch_from"]["checkpoint"])
    saved = checkpoint.read(path)
    continue_with(saved, path, config)
    if "Checkpoints" in saved["callbacks"]:
        saved["callbacks"]["Checkpoints"]["best"] = None  # best.ckpt is in the other folder
    step = saved["global_step"]
    first = folder.checkpoints / f"step_{step:08d}.ckpt"
    checkpoint.write_checkpoint(saved, first)
    return ResumePoint(first, step)


def continue_with(saved: Checkpoint, path: Path, config: Config) -> None:
    """Gives a checkpoint, as it was read from `path`, the hyperparameters of another configuration.

    Raises:
        UserError: It belongs to other networks or data, or its optimizers have another state.
    """
    resume.require_same(path, saved, config, may_change)
    model: GAN = build(config, "model")
    optimizers, schedulers = model.configure_optimizers()
    for optimizer in optimizers:
        optimizer.step()  # does nothing without gradients; otherwise torch warns of a schedule that steps first
    for _ in range(saved["global_step"]):
        for scheduler in schedulers:
            scheduler.step()
    for player, optimizer, state in zip(model.networks(), optimizers, saved["optimizer_states"], strict=True):
        _require_state(path, model, player, state)
        state["param_groups"] = optimizer.state_dict()["param_groups"]
    for name in model.numbers_of_parts():  # where a schedule of the other run has left them
        saved["state_dict"][name] = model.state_dict()[name]
    saved["lr_schedulers"] = [scheduler.state_dict() for scheduler in schedulers]
    saved |= {"config": config, "model": model.spec}


def _require_state(path: Path, model: GAN, player: Player, saved: dict[str, Any]) -> None:
    """Raises an error if the player's optimizer keeps something of each weight that the checkpoint does not have."""
    weight = torch.zeros(1, requires_grad=True)
    weight.grad = torch.zeros(1)
    trial = model.optimizer([weight], **model.optimizer_arguments[player])
    trial.step()
    for state in saved["state"].values():
        missing = trial.state[weight].keys() - state.keys()
        if missing:
            raise UserError(
                f"model.optimizer: {type(trial).__name__} with these values needs {', '.join(sorted(missing))} of "
                f"every weight, which {path} does not have. Leave its class and its options as they were"
            )
