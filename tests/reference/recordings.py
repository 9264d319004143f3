"""Recordings of the authors' code, and how far ours is from them."""

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gan_lightning.tensor_file import load_tensors

FOLDER = Path(__file__).with_name("recordings")
TOLERANCE = 1e-11
"""The largest difference, as a part of the largest number: some thousand times the rounding of float64."""


class Recording(NamedTuple):
    """What the authors' code was given, and what it made of it, in float64; pictures are in [-1, 1]."""

    tensors: dict[str, Tensor]
    about: dict[str, str]
    """The method, the repository, its commit, what was called, and how the inputs were drawn."""

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]

    def group(self, prefix: str) -> dict[str, Tensor]:
        """The tensors `prefix/name`, by name."""
        return {name[len(prefix) + 1 :]: value for name, value in self.tensors.items() if name.startswith(f"{prefix}/")}


class Difference(NamedTuple):
    """The largest differences, each as a part of the largest number that the authors' code gave."""

    values: float
    gradients: float | None
    """None where there is none to compare."""


Check = Callable[[Recording], Difference]


def load(kind: str, name: str) -> Recording:
    tensors, about = load_tensors(FOLDER / kind / f"{name}.safetensors")
    return Recording({name: _numbers(value) for name, value in tensors.items()}, about)


def _numbers(stored: Tensor) -> Tensor:
    if stored.dtype == torch.uint8:  # the pixels of pictures
        return stored.double() / 127.5 - 1
    return stored.double() if stored.is_floating_point() else stored


def difference(ours: Iterable[Tensor], theirs: Iterable[Tensor], scale: float | None = None) -> float:
    """The largest difference of some tensors, divided by `scale`; None: by their largest number.

    Of a large tensor every n-th number is recorded.
    """
    pairs = [
        (one.detach().flatten()[:: math.ceil(one.numel() / other.numel())], other.flatten())
        for one, other in zip(ours, theirs, strict=True)
    ]
    assert all(one.dtype == other.dtype == torch.float64 for one, other in pairs)
    largest = max((one - other).abs().max().item() for one, other in pairs)
    return largest / (scale or max(other.abs().max().item() for _, other in pairs))


def gradient_difference(value: Tensor, of: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> float:
    """The same of the gradients of `value` with respect to the tensors that `theirs` names."""
    found = torch.autograd.grad(value, [of[name] for name in theirs], retain_graph=True)
    return difference(found, theirs.values())


def load_weights(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Puts weights under our names into a network, in float64; biases that they lack are taken away.

    What is left as it was built are the vectors of spectral normalization, where the power method runs until it rests.
    """
    network.double()
    for name, _ in list(network.named_parameters()):
        if name.endswith("bias") and name not in weights:
            network.get_submodule(name.rpartition(".")[0]).register_parameter("bias", None)
    state = network.state_dict()
    shaped = {name: value.reshape(state[name].shape) for name, value in weights.items()}
    missing, unexpected = network.load_state_dict(shaped, strict=False)
    left = {name.rpartition(".")[2] for name in missing}
    assert not unexpected
    assert left <= {"_u", "_v", "num_batches_tracked"}, missing


def check(kind: str, name: str, compare: Check, tolerance: float = TOLERANCE) -> None:
    """Fails if ours differs from a recording."""
    values, gradients = compare(load(kind, name))
    assert values < tolerance
    assert gradients is None or gradients < tolerance
