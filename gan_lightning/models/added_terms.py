"""Terms that parts add to the objectives of a GAN: penalties, and regularizers of G; their numbers for schedules."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gan_lightning.losses import DiscriminatorOutput, Generated, Terms
from gan_lightning.losses.terms import to_float32
from gan_lightning.models.batch import Batch
from gan_lightning.models.draws import Draws

if TYPE_CHECKING:
    from gan_lightning.models.gan import GAN


def of_penalties(
    model: GAN, real: Batch, fake: Batch, d_real: DiscriminatorOutput, d_fake: DiscriminatorOutput, draws: Draws
) -> Terms:
    """Returns the terms of D's penalties; the gradients at `real` and `fake` can be taken from D's outputs."""
    samples = [real.samples, fake.samples]
    if torch.is_autocast_enabled(model.device.type):  # the logits of the loss are too coarse for a penalty
        samples = [each.detach() for each in samples]

    def logits(at: Tensor) -> Tensor:
        if at is real.samples:
            return d_real.logits
        if at is fake.samples:
            return d_fake.logits
        return model.discriminate(Batch(at, real.condition)).logits

    return {
        name: model.penalty_every
        * penalty(
            logits,
            *samples,
            partial(draws.noise, len(real.samples), name),
            **draws.arguments(f"penalties.{name}"),
        )
        for name, penalty in model.penalties.items()
    }


def of_generator_regularizers(model: GAN, fake: Batch, draws: Draws) -> Terms:
    """Returns the terms of those of G's regularizers that are due in this batch."""
    due = {
        name: part
        for name, part in model.generator_regularizers.items()
        if draws.is_due(part.every_n_updates * model.n_critic)  # type: ignore[arg-type, operator]
    }
    with torch.autocast(model.device.type, enabled=False):
        return {
            name: part.every_n_updates
            * part(
                model.generator,
                Generated(
                    to_float32(fake.samples),
                    fake.z,  # type: ignore[arg-type]
                    fake.condition,
                    partial(draws.noise, len(fake.samples), f"generator_regularizers.{name}"),
                ),
                **draws.arguments(f"generator_regularizers.{name}"),
            )
            for name, part in due.items()
        }


def numbers(model: GAN) -> dict[str, float]:
    """Returns the numbers of penalties and regularizers that can have a schedule, by name."""
    found: dict[str, float] = {}
    for name, penalty in model.penalties.items():
        given = penalty.keywords if isinstance(penalty, partial) else {}
        found |= {f"penalties.{name}.{key}": v for key, v in given.items() if isinstance(v, int | float)}
    for kind in ("regularizers", "generator_regularizers"):
        for name, part in getattr(model, kind).items():
            if "weight" in inspect.signature(part.forward).parameters:
                found[f"{kind}.{name}.weight"] = part.weight
    return found
