"""Reading a checkpoint, and building its model from it alone."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gan_lightning.checksum import require_intact
from gan_lightning.config.instantiate import instantiate
from gan_lightning.errors import UserError
from gan_lightning.labels import LabelVocabulary
from gan_lightning.models.sampling import LatentModel
from gan_lightning.specs import unknown_parts

Checkpoint = dict[str, Any]
FORMAT = 2
"""The number of the checkpoints' format. In format 1 they have neither this number nor a checksum; before it, they do
not describe their models."""
TYPES: dict[str, type | tuple[type, ...]] = {
    "format": int,
    "model": dict,
    "state_dict": dict,
    "vocabulary": dict,
    "data": (dict, type(None)),
    "config": dict,
    "metrics": dict,
    "global_step": int,
    "epoch": int,
    "batches_per_epoch": int,
    "optimizer_states": list,
    "lr_schedulers": list,
    "loops": dict,
    "callbacks": dict,
}
"""The entries of a checkpoint and their types."""
MAX_VALUES = {"model": 10_000, "data": 100_000, "config": 100_000}
"""The largest numbers of values in the descriptions: each of a million numbers could stand for a layer."""
MAX_DEPTH = 100


def read(path: Path) -> Checkpoint:
    """Reads a checkpoint of tensors and plain containers, onto the CPU. It runs no code.

    Raises:
        UserError: The file is damaged, is not a checkpoint of gan_lightning or of another format, or has other
            objects in it.
    """
    try:
        require_intact(path)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}. Expected a checkpoint") from error
    except ValueError as error:
        raise UserError(
            f"{path} is damaged or not a checkpoint: {error}. Use another from the same checkpoints/ folder"
        ) from error
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} is refused: it holds more than tensors and plain containers, and loading it could run code"
        ) from error
    except Exception as error:  # what a file of a stranger makes torch raise has many types
        raise UserError(
            f"{path} is not a checkpoint: {type(error).__name__}: {str(error).partition(chr(10))[0]}"
        ) from error
    require_content(checkpoint, path)
    return checkpoint


def require_content(checkpoint: Any, path: Path) -> None:
    """Checks the entries of a file before anything is built from them.

    Raises:
        UserError: An entry is missing, of another type or of a later format, or too large to be what it claims.
    """
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise UserError(f"{path} is not a checkpoint of gan_lightning: it has no 'model' and 'state_dict'")
    if "model" not in checkpoint and "config" in checkpoint:
        raise UserError(
            f"{path} was written by an earlier version, whose checkpoints do not say how to build their model. Read it "
            "with that version: summary.json beside it names the commit"
        )
    for name, types in TYPES.items():
        if name in checkpoint and not isinstance(checkpoint[name], types):
            kind = type(checkpoint[name]).__name__
            raise UserError(f"{path} is not a checkpoint of gan_lightning: its '{name}' is of type {kind}")
    if checkpoint.get("format", 1) > FORMAT:
        raise UserError(
            f"{path} has format {checkpoint['format']}, which a later version has written; this one reads formats up "
            f"to {FORMAT}. Install a later gan_lightning"
        )
    if "model" not in checkpoint:
        raise UserError(f"{path} is not a checkpoint of gan_lightning: it has no 'model' and 'state_dict'")
    for name, limit in MAX_VALUES.items():
        if not _is_bounded(checkpoint.get(name), limit):
            raise UserError(
                f"{path} is not a checkpoint of gan_lightning: its '{name}' has more than {limit:,} values, or is "
                f"nested more than {MAX_DEPTH} deep"
            )
    for name, tensor in checkpoint["state_dict"].items():
        if not _is_whole(tensor):
            raise UserError(f"{path} is not a checkpoint of gan_lightning: {name} is no tensor with all its values")


def _is_bounded(node: Any, limit: int) -> bool:
    """Whether nested containers have at most `limit` values; without recursion, which a deep nest would exhaust."""
    count, ahead = 0, [(node, 0)]
    while ahead:
        node, depth = ahead.pop()
        count += 1
        if depth > MAX_DEPTH or count > limit:
            return False
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list | tuple) else ()
        ahead += [(child, depth + 1) for child in children]
    return True


def _is_whole(tensor: Any) -> bool:
    """Whether a tensor has a value in memory for each of its entries: it could claim any size otherwise."""
    dense = isinstance(tensor, Tensor) and tensor.layout is torch.strided and not tensor.is_meta
    return dense and tensor.nbytes <= tensor.untyped_storage().nbytes()


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
        if name not in ("optimizer", "scheduler", "schedules") or not unknown_parts(part)  # which only training needs
    }
    weights = checkpoint["state_dict"]
    model = build_to_fit(spec, weights, LatentModel, origin)
    load_weights(model, weights, origin)
    if "vocabulary" in checkpoint:
        model.vocabulary = _vocabulary(checkpoint["vocabulary"], origin)
    return model


def build_to_fit(spec: Any, weights: Mapping[str, Tensor], kind: type, origin: object) -> Any:
    """Builds the model or network that a file describes, with room for its weights.

    Args:
        spec: The description in the file.
        weights: The weights in the file. Networks larger than these are refused before they take memory.
        kind: The class that the result must have.
        origin: The path of the file, for messages.

    Raises:
        UserError: A part does not say how it was made, is outside the allowlist, has wrong arguments, or does not fit
            the weights.
    """
    has_ema = any(name.startswith("generator_ema.") for name in weights)

    def build() -> Any:
        made = _build(spec, kind, origin)
        if has_ema:
            made.track_ema()
        return made

    try:
        with torch.device("meta"):
            shapes = build().state_dict()
    except UserError as error:  # a wrong description, unless a network computes something as it is built
        if isinstance(error.__cause__, NotImplementedError) or "meta tensors" in str(error.__cause__):
            return build()
        raise
    _require_same_shapes(shapes, weights, origin)
    return build()


def _build(spec: Any, kind: type, origin: object) -> Any:
    unknown = unknown_parts(spec)
    if unknown:
        raise UserError(
            f"{origin}: these parts do not say how they were made: {', '.join(unknown)}. Let their classes inherit "
            "gan_lightning.specs.Described, and train again"
        )
    try:
        made = instantiate(spec, "model")
    except Exception as error:  # of many types: the description decides what is called
        raise UserError(f"{origin}: its model cannot be built: {error}") from error
    if not isinstance(made, kind):
        raise UserError(f"{origin} describes a {type(made).__name__}; expected a {kind.__name__}")
    return made


def _vocabulary(state: Any, origin: object) -> LabelVocabulary:
    try:
        return LabelVocabulary(**state)
    except Exception as error:
        raise UserError(f"{origin}: its 'vocabulary' has no names, examples and counts of labels") from error


def load_weights(module: nn.Module, weights: dict[str, Any], origin: object) -> None:
    """Loads weights as `load_state_dict` does, with a message that lists the differences.

    Args:
        module: The network or model.
        weights: The state dict.
        origin: The path of the file, for messages.

    Raises:
        UserError: Tensors are missing, superfluous or of another shape.
    """
    _require_same_shapes(module.state_dict(), weights, origin)
    module.load_state_dict(weights)


def _require_same_shapes(own: Mapping[str, Tensor], weights: Mapping[str, Tensor], origin: object) -> None:
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


def require_optimizer_states(states: Sequence[Any], optimizers: Sequence[Optimizer]) -> None:
    """Checks that a checkpoint has a state for every optimizer; Lightning ignores one that is missing.

    Args:
        states: The state dicts of the checkpoint.
        optimizers: The optimizers of the model.

    Raises:
        UserError: A state is missing, superfluous, or of other parameters.
    """
    expected = [sum(len(group["params"]) for group in optimizer.param_groups) for optimizer in optimizers]
    try:
        found = [sum(len(group["params"]) for group in state["param_groups"]) for state in states]
    except (KeyError, TypeError) as error:
        raise UserError("the checkpoint's optimizer_states are no states of optimizers. Resume from another") from error
    if found != expected:
        raise UserError(
            f"the checkpoint has the states of {len(found)} optimizers, for {found} parameters; expected {expected}. "
            "Resume from another checkpoint"
        )


def match_memory_format(states: Sequence[Any], optimizers: Sequence[Optimizer]) -> None:
    """Lays out the states of a checkpoint in memory as their parameters are.

    Fused optimizers read both in the order of memory, and an earlier version had kernels with their channels first.

    Args:
        states: The state dicts of the checkpoint; their tensors are replaced.
        optimizers: The optimizers of the model.
    """
    for state, optimizer in zip(states, optimizers, strict=True):
        numbers = [number for group in state["param_groups"] for number in group["params"]]
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        for number, parameter in zip(numbers, parameters, strict=True):
            values = state["state"].get(number, {})
            for name, value in values.items():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    values[name] = torch.empty_like(parameter, dtype=value.dtype, device=value.device).copy_(value)
