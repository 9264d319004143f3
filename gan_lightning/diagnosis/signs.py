"""The signs by which a diagnosis is made: numbers of D, of G, of their gradients and of G's samples."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from gan_lightning import rng
from gan_lightning.diagnosis.glance import NUM, SOME, Glance, Points, RealSamples, to_points
from gan_lightning.losses import Player
from gan_lightning.models import GAN

VANISHING = 1e-20
"""A gradient below it is none: behind a saturated tanh it need not be 0."""


@dataclass(frozen=True)
class Signs:
    """What was measured after a batch. NaN stands for what cannot be measured here.

    Attributes:
        step: The number of batches.
        gradient_d: The norm of the gradient of D's last update.
        gradient_g: The same of G.
        dead: The names of weights whose gradient in the last update was below `VANISHING` in every entry.
        logit: The mean of |D(x)| over real and generated samples.
        separation: The probability that D gives a real sample a larger logit than a generated one, P(D(x) > D(G(z))).
        overfit: (E D(train) - E D(held-out)) / (E D(train) - E D(G(z))): r_v of Karras et al. 2020 (arXiv:2006.06676),
            eq. 1.
        spread: As of `Glance.compare`, like the next four.
        moved: As of `Glance.moved`, since the last time, by G's own weights and not their average.
        ema_gap: The same between the samples of the averaged weights (EMA) and of the weights themselves.
        ema_distance: The `distance` of the averaged weights over that of the weights themselves.
    """

    step: int
    gradient_d: float = math.nan
    gradient_g: float = math.nan
    dead: list[str] = field(default_factory=list)
    logit: float = math.nan
    separation: float = math.nan
    overfit: float = math.nan
    spread: float = math.nan
    distance: float = math.nan
    coverage: float = math.nan
    missing: float = math.nan
    novelty: float = math.nan
    moved: float = math.nan
    ema_gap: float = math.nan
    ema_distance: float = math.nan

    def numbers(self) -> dict[str, float]:
        """The numbers among them that could be measured, by name."""
        return {name: v for name, v in asdict(self).items() if name != "step" and isinstance(v, float) and v == v}


def measure(
    model: GAN, glance: Glance | None, step: int, before: Points | None, with_gradients: bool = True
) -> tuple[Signs, Points | None]:
    """Measures the signs after `step` batches, the same in every process that calls it.

    Args:
        model: The model, whose last gradients are still there.
        glance: The real samples to compare with; None: only gradients are measured.
        step: The number of batches.
        before: The points that this function has returned the last time.
        with_gradients: Whether the gradients are those of the loss, and not multiples of them.

    Returns:
        The signs, and samples of G's own weights, for the next time.

    Raises:
        FloatingPointError: G's samples are not finite.
    """
    found: dict[str, Any] = _gradients(model) if with_gradients else {}
    if glance is None:
        return Signs(step, **found), None
    seed = rng.mix("glance")
    z, condition = model.fixed_z(NUM, seed), model.fixed_conditions(NUM, seed)
    points, fake = _generated(model, z, condition)
    found |= glance.compare(points) | _logits(model, glance, fake)
    points, condition = points[:SOME], None if condition is None else condition[:SOME]
    own = points
    if model.generator_ema is not None:
        own = torch.cat([to_points(block) for block in model.generate(z[:SOME], condition, raw=True)])
        found["ema_gap"] = glance.moved(own, points)
        distances = [glance.compare(each)["distance"] for each in (points, own)]
        found["ema_distance"] = max(distances[0], 0) / max(distances[1], 1e-6)
    if before is not None:
        found["moved"] = glance.moved(before, own)
    return Signs(step, **found), own


def _generated(model: GAN, z: Tensor, condition: Tensor | None) -> tuple[Points, Tensor]:
    """The points of generated samples, and D's logits of the first `SOME`; samples are there one block at a time."""
    points: list[Points] = []
    logits: list[Tensor] = []
    for first, block in zip(range(0, len(z), model.BLOCK), model.generate(z, condition), strict=True):
        points.append(to_points(block))
        if first < SOME:
            own = None if condition is None else condition[first : first + len(block)]
            logits += [each.cpu() for each in model.logit_blocks(block, own)]
    return torch.cat(points), torch.cat(logits)


def _gradients(model: GAN) -> dict[str, Any]:
    networks: dict[Player, nn.Module] = model.networks()
    found: dict[str, Any] = {"dead": []}
    for player, network in networks.items():
        gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
        found[f"gradient_{player[0]}"] = get_total_norm(list(gradients.values())).item() if gradients else math.nan
        weights = {name: gradient.abs().max() for name, gradient in gradients.items() if gradient.ndim > 1}
        largest = torch.stack([*weights.values()]).tolist() if weights else []  # waits for a GPU once
        found["dead"] += [f"{player}.{name}" for name, most in zip(weights, largest, strict=True) if most < VANISHING]
    return found


def _logits(model: GAN, glance: Glance, fake: Tensor) -> dict[str, float]:
    train = _logits_of_real(model, glance.train)
    larger = (train.unsqueeze(1) - fake).sign().mean().item()  # from -1 to 1; equal ones count half
    found = {"separation": (larger + 1) / 2, "logit": torch.cat([train, fake]).abs().mean().item()}
    if glance.held_out is not None:
        held_out = _logits_of_real(model, glance.held_out)
        difference = (train.mean() - fake.mean()).item()
        found["overfit"] = (train.mean() - held_out.mean()).item() / difference if difference > 0 else math.nan
    return found


def _logits_of_real(model: GAN, real: RealSamples) -> Tensor:
    condition = None
    if model.vocabulary is not None and real.labels is not None:
        condition = model.vocabulary.encode(real.labels)
    return torch.cat([block.cpu() for block in model.logit_blocks(real.samples, condition)])
