"""Building a model from its checkpoint alone."""

from __future__ import annotations

from typing import Any

from torch import nn

from gan_lightning.config.instantiate import instantiate
from gan_lightning.errors import UserError
from gan_lightning.labels import LabelVocabulary
from gan_lightning.specs import unknown_parts


def rebuild(checkpoint: dict[str, Any], origin: object) -> Any:
    """Builds the model that wrote a checkpoint, with its weights, on the CPU.

    Args:
        checkpoint: The content of the file: tensors and plain containers.
        origin: The path of the file, for messages.

    Raises:
        UserError: The checkpoint does not say how to build the model, or its weights do not fit.
    """
    spec = checkpoint.get("model")
    if not isinstance(spec, dict):
        raise UserError(f"{origin} does not say which model wrote it: it has no 'model'. Expected a gan_lightning GAN")
    unknown = unknown_parts(spec)
    if unknown:
        raise UserError(
            f"{origin}: the model has parts that do not say how they were made: {', '.join(unknown)}. Let their "
            "classes inherit gan_lightning.specs.Described, and train again"
        )
    try:
        model = instantiate(spec, "model")
    except (PermissionError, LookupError, TypeError, ValueError) as error:
        raise UserError(f"{origin}: its model cannot be built: {error}") from error
    weights = checkpoint["state_dict"]
    if any(name.startswith("generator_ema.") for name in weights):
        model.track_ema()
    load_weights(model, weights, origin)
    if "vocabulary" in checkpoint:
        model.vocabulary = LabelVocabulary(**checkpoint["vocabulary"])
    return model


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
