"""Adversarial losses beside the authors' code."""

import pytest
import torch

from gan_lightning.losses import (
    AdversarialLoss,
    BoundaryEquilibrium,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    RelativisticAverage,
    RelativisticPairs,
    StepOutput,
    Wasserstein,
)
from gan_lightning.losses.terms import means, total
from tests.reference.recordings import Check, Difference, Recording, check, difference

KIND = "losses"


def compare(recording: Recording, loss: AdversarialLoss, times: float = 1.0) -> Difference:
    """Both players' losses; `times`: ours is so many times theirs."""
    real, fake = (recording[kind].requires_grad_() for kind in ("real", "fake"))
    logits = (-real.abs(), -fake.abs()) if loss.needs_reconstruction else (real, fake)  # minus the errors
    values, gradients = [], []
    for player, terms in (
        ("discriminator", loss.discriminator(*logits)),
        ("generator", loss.generator(logits[1], logits[0])),
    ):
        value = total(means(terms)) / times
        theirs = {kind: recording.tensors.get(f"{player}_{kind}_gradient") for kind in ("real", "fake")}
        found = torch.autograd.grad(value, (real, fake), allow_unused=True, retain_graph=True)
        assert [gradient is None for gradient in found] == [theirs[kind] is None for kind in ("real", "fake")]
        values.append((value, recording[player]))
        gradients += [pair for pair in zip(found, theirs.values(), strict=True) if pair[1] is not None]
    return Difference(difference(*zip(*values, strict=True)), difference(*zip(*gradients, strict=True)))


def boundary_equilibrium(recording: Recording) -> Difference:
    loss = BoundaryEquilibrium(gamma=0.5, lambda_k=0.125).double()
    loss.k.copy_(recording["k_before"])
    values, gradients = compare(recording, loss)
    real, fake = (recording[kind].abs().mean() for kind in ("real", "fake"))
    loss.on_step_end(StepOutput(terms={"discriminator": {"real": real}, "generator": {"fake": fake}}, logits={}))
    return Difference(max(values, difference([loss.k], [recording["k_after"]])), gradients)


CHECKS: dict[str, Check] = {
    "non_saturating": lambda recording: compare(recording, NonSaturating()),
    "minimax": lambda recording: compare(recording, Minimax()),
    "least_squares": lambda recording: compare(recording, LeastSquares()),
    "wasserstein": lambda recording: compare(recording, Wasserstein()),
    "hinge": lambda recording: compare(recording, Hinge()),
    "hinge-mimicry": lambda recording: compare(recording, Hinge()),
    "relativistic_average": lambda recording: compare(recording, RelativisticAverage(), times=2.0),
    "relativistic_pairs": lambda recording: compare(recording, RelativisticPairs()),
    "boundary_equilibrium": boundary_equilibrium,
}


@pytest.mark.parametrize("name", CHECKS)
def test_as_recorded(name):
    check(KIND, name, CHECKS[name])
