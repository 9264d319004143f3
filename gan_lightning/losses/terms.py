"""What the parts of a GAN hand to each other in one step."""

from __future__ import annotations

import functools
import operator
from dataclasses import dataclass
from typing import Literal, TypedDict

import torch
from torch import Tensor, nn

from gan_lightning.specs import Described

Player = Literal["discriminator", "generator"]
Terms = dict[str, Tensor]
"""The summands of a loss, by name: a scalar each, or a value for every sample, of which the mean counts."""


class StepOutput(TypedDict):
    """What an update computes, and what callbacks get as `outputs`."""

    terms: dict[Player, Terms]
    """What each player that moved has minimized: named scalars."""
    logits: dict[str, Tensor]
    """D's logits of the `real` and the `fake` samples, (batch,); empty where D did not move."""


@dataclass(frozen=True)
class DiscriminatorOutput:
    """What D says of a batch, and what the batch was made of."""

    logits: Tensor
    """(batch,), in float32 at least: losses sum and compare them."""
    features: Tensor | None
    """(batch, feature_dim): what the logits are computed from; None where no head asks for it."""
    condition: Tensor | None
    """(batch, condition_dim): the condition that the samples have, or were generated for."""
    z: Tensor | None
    """(batch, latent_dim): the latents of generated samples; None for real ones."""


class Part(Described, nn.Module):
    """A part of a GAN's objective. Whatever it remembers from batch to batch lies in buffers: checkpoints hold it."""

    def on_step_end(self, output: StepOutput) -> None:
        """Updates what the part remembers, once a batch is trained. Terms are means over all processes."""

    def metrics(self, output: StepOutput) -> dict[str, Tensor]:
        """Returns what is worth logging, by name, beside the losses."""
        return {}


def join(*parts: Terms) -> Terms:
    """All terms of the parts of one loss.

    Raises:
        ValueError: Two parts have a term of the same name, of which one would be lost.
    """
    joined: Terms = {}
    for terms in parts:
        if twice := joined.keys() & terms.keys():
            raise ValueError(
                f"model: two parts of a player's loss are named {', '.join(sorted(twice))}; rename a penalty or "
                "regularizer, or keep one head of a kind"
            )
        joined |= terms
    return joined


def means(terms: Terms) -> Terms:
    """The terms as scalars."""
    return {name: term.mean() for name, term in terms.items()}


def total(terms: Terms) -> Tensor:
    """The loss that the terms make up: their sum."""
    return functools.reduce(operator.add, terms.values())


def to_float32(logits: Tensor) -> Tensor:
    """Turns 16-bit numbers into float32; returns others as they are."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
