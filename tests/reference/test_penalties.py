"""Gradient penalties beside the authors' code."""

import math
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from gan_lightning.losses import dragan_uniform, r1, r2, wgan_gp
from tests.reference.recordings import (
    Check,
    Difference,
    Recording,
    check,
    difference,
    gradient_difference,
    load_weights,
)

KIND = "penalties"


def discriminator(recording: Recording) -> nn.Module:
    weights = renamed(recording, "weights")
    hidden, inputs = weights["1.weight"].shape
    network = nn.Sequential(nn.Flatten(), nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, 1), nn.Flatten(0))
    load_weights(network, weights)
    return network


def renamed(recording: Recording, group: str) -> dict[str, Tensor]:
    return {name.removeprefix("layers."): value for name, value in recording.group(group).items()}


def compare(recording: Recording, *penalties, noise: Tensor | None = None) -> Difference:
    """The sum of some penalties that are given their noise, and its gradients with respect to D's weights."""
    network = discriminator(recording)
    value = sum(penalty(network, recording["real"], recording["fake"], lambda *_: noise) for penalty in penalties)
    gradients = gradient_difference(value, dict(network.named_parameters()), renamed(recording, "gradients"))
    return Difference(difference([value], [recording["value"]]), gradients)


def between(recording: Recording, share_of_real: Tensor) -> Difference:
    return compare(recording, partial(wgan_gp, weight=10.0), noise=share_of_real.view(-1, 1, 1, 1))


def around(recording: Recording) -> Difference:
    """StudioGAN divides by n - 1 in the standard deviation, the authors and we by n."""
    noise = torch.cat([recording["noise/0"].flatten(1), recording["noise/1"].flatten(1)], 1)
    count = recording["real"].numel()
    penalty = partial(dragan_uniform, weight=10.0, scale=0.5 * math.sqrt(count / (count - 1)))
    return compare(recording, penalty, noise=noise)


def perturbed(recording: Recording) -> Difference:
    """The authors' samples for alpha = 1."""
    at = []

    def logits_of(samples: Tensor) -> Tensor:
        at.append(samples)
        return samples.sum((1, 2, 3))

    noise = torch.cat([torch.ones(4, 1), recording["noise/1"].flatten(1)], 1)
    dragan_uniform(logits_of, recording["real"], recording["real"], lambda *_: noise, weight=1.0, scale=0.5)
    return Difference(difference(at, [recording["perturbed"]]), None)


CHECKS: dict[str, Check] = {
    "r1": lambda recording: compare(recording, partial(r1, weight=2 * 10.0)),
    "r1-studiogan": lambda recording: compare(recording, partial(r1, weight=10.0)),
    "r2": lambda recording: compare(recording, partial(r2, weight=2 * 10.0)),
    "r1_r2": lambda recording: compare(recording, partial(r1, weight=10.0), partial(r2, weight=10.0)),
    "wgan_gp": lambda recording: between(recording, recording["noise/0"]),
    "wgan_gp-studiogan": lambda recording: between(recording, recording["noise/0"]),
    "wgan_gp-stability": lambda recording: between(recording, 1 - recording["noise/0"]),
    "dragan_uniform": around,
    "dragan_noise": perturbed,
}
"""The `reg_param` of GAN_stability is half of our weight."""


@pytest.mark.parametrize("name", CHECKS)
def test_as_recorded(name):
    check(KIND, name, CHECKS[name])
