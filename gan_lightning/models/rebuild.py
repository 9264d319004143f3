"""Reading a checkpoint, and building its model from it alone."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gan_lightning.config.instantiate import instantiate
from gan_lightning.errors import UserError
from gan_lightning.labels import LabelVocabulary
from gan_lightning.models.sampling import LatentModel
from gan_lightning.specs import unknown_parts

Checkpoint = dict[str, Any]


def read(path: Path) -> Checkpoint:
    """Reads a checkpoint of tensors and plain containers, onto the CPU.

    Raises:
        UserError: The file is damaged, is not a checkpoint of gan_lightning, or has other objects in it.
    """
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError) as error:
        if "Unsupported" in str(error):
            raise UserError(
                f"{path} is refused: it holds more than tensors and plain containers, and loading it could run code"
            ) from error
        raise UserError(
            f"{path} is damaged or not a checkpoint. Use another from the same checkpoints/ folder"
        ) from error
    if isinstance(checkpoint, dict) and "config" in checkpoint and "model" not in checkpoint:
        raise UserError(
            f"{path} was written by an earlier version, whose checkpoints do not say how to build their model. Read it "
            "with that version: summary.json beside it names the commit"
        )
    if not isinstance(checkpoint, dict) or not {"model", "state_dict"} <= checkpoint.keys():
        raise UserError(f"{path} is not a checkpoint of gan_lightning: it has no 'model' and 'state_dict'")
    if not isinstance(checkpoint["model"], dict):
        raise UserError(f"{path} is damaged: its 'model' is no description. Use another from the same folder")
    return checkpoint


def rebuild(checkpoint: Checkpoint, origin: object) -> Any:
    """Builds the model that wrote a checkpoint, with its weights, on the CPU.

    Args:
        checkpoint: The content of the file: tensors and plain containers.
        origin: The path of the file, for messages.

    Raises:
        UserError: The checkpoint does not say how to build the model, or its weights do not fit.
    """
    spec = {
        name: part
        for name, part in checkpoint["model"].items()
        if name not in ("optimizer", "scheduler") or not unknown_parts(part)  # which only training needs
    }
    model = build_from(spec, "model", LatentModel, origin)
    weights = checkpoint["state_dict"]
    if any(name.startswith("generator_ema.") for name in weights):
        model.track_ema()
    load_weights(model, weights, origin)
    if "vocabulary" in checkpoint:
        model.vocabulary = LabelVocabulary(**checkpoint["vocabulary"])
    return model


def build_from(spec: Any, section: str, kind: type, origin: object) -> Any:
    """Builds what a file says of itself.

    Args:
        spec: The description in the file.
        section: The section of a configuration whose allowlist counts.
        kind: The class that the result must have.
        origin: The path of the file, for messages.

    Raises:
        UserError: A part does not say how it was made, is outside the allowlist, or has wrong arguments.
    """
    unknown = unknown_parts(spec)
    if unknown:
        raise UserError(
            f"{origin}: these parts do not say how they were made: {', '.join(unknown)}. Let their classes inherit "
            "gan_lightning.specs.Described, and train again"
        )
    try:
        made = instantiate(spec, section)
    except (PermissionError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{origin}: its {section} cannot be built: {error}") from error
    if not isinstance(made, kind):
        raise UserError(f"{origin} describes a {type(made).__name__}; expected a {kind.__name__}")
    return made


def load_weights(module: nn.Module, weights: dict[str, Any], origin: object) -> None:
    """Loads weights as `load_state_dict` does, with a message that lists the differences.

    Args:
        module: The network or model.
        weights: The state dict.
        origin: The path of the file, for messages.

    Raises:
        UserError: Tensors are missing, superfluous or of another shape.
    """
    own = module.state_dict()
    differences = [f"{name}: only in the checkpoint" for name in weights.keys() - own.keys()]
    differences += [f"{name}: missing from the checkpoint" for name in own.keys() - weights.keys()]
    differences += [
        f"{name}: {tuple(weights[name].shape)} in the checkpoint, expected {tuple(own[name].shape)}"
        for name in own.keys() & weights.keys()
        if weights[name].shape != own[name].shape
    ]
    if differences:
        shown = "\n".join(f"  {line}" for line in sorted(differences)[:8])
        raise UserError(
            f"{origin} does not fit the networks of its configuration, {len(differences)} tensors differ:\n{shown}"
        )
    module.load_state_dict(weights)
