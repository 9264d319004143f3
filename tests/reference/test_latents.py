"""Directions of styles beside SeFa's code."""

import pytest
import torch
from torch import nn

from gan_lightning.models.latents import directions
from tests.reference.recordings import Difference, Recording, check, difference

KIND = "latents"


class Layers(nn.Module):
    """A style-based generator of layers that w enters, and of nothing else."""

    def __init__(self, weights: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(w.shape[1], w.shape[0], bias=False) for w in weights.values())
        for layer, weight in zip(self.layers.double(), weights.values(), strict=True):
            layer.weight.data = weight

    def map_latents(self, z, condition=None):
        return z

    def synthesize(self, w):
        return torch.cat([layer(w) for layer in self.layers], 1)


def sefa(recording: Recording) -> Difference:
    """Their eigenvectors come in no order, and each with either sign."""
    found, values = directions(Layers(recording.group("weights")), recording["vectors"].shape[1])
    order = recording["values"].argsort(descending=True)
    theirs = recording["vectors"][order]
    signs = (theirs * found).sum(1, keepdim=True).sign()
    return Difference(difference([found, values], [theirs * signs, recording["values"][order]]), None)


CHECKS = {"sefa": sefa}


@pytest.mark.parametrize("name", CHECKS)
def test_as_the_authors_code(name):
    check(KIND, name, CHECKS[name])
