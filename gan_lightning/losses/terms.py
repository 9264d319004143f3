"""The types and functions that the parts of a GAN share: terms of losses, outputs of D and of a step."""

from __future__ import annotations

import functools
import operator
from dataclasses import dataclass
from typing import Literal, TypedDict

import torch
from torch import Tensor, nn

from gan_lightning.specs import Described

Player = Literal["discriminator", "generator"]
"""One of the two networks that train against each other."""
Number = float | Tensor
"""A number of a loss; a scheduled one is a scalar tensor in a compiled loss."""
Terms = dict[str, Tensor]
"""The terms of a loss, by name: scalars, or values (batch,), whose mean is used. The loss is their sum."""


class StepOutput(TypedDict):
    """What an update of some players returns. All keys are required, since torch compiles no optional ones."""

    terms: dict[Player, Terms]
    """The terms of each updated player's loss: scalars, by name."""
    logits: dict[str, Tensor]
    """D's logits of the `real` and the `fake` samples, (batch,); empty if D was not updated."""


class BatchOutput(StepOutput):
    """What `training_step` returns for all updates of a batch; callbacks get it as `outputs`."""

    scheduled: dict[str, float]
    """The numbers that have a schedule, by name."""


@dataclass(frozen=True)
class DiscriminatorOutput:
    """The discriminator's output for a batch, with the batch's condition and latents."""

    logits: Tensor
    """(batch,), in float32 or wider, since losses sum and compare logits."""
    features: Tensor | None
    """(batch, feature_dim): the input of D's last layer; None if there are no heads."""
    condition: Tensor | None
    """(batch, condition_dim): the condition that the samples have, or were generated for."""
    z: Tensor | None
    """(batch, latent_dim): the latents of generated samples; None for real ones."""


class Part(Described, nn.Module):
    """A part of a GAN's objective. Its state between batches is in buffers, so that checkpoints contain it.

    Attributes:
        numbers: The numbers in its state that a schedule may move, as the part was built with them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.numbers: dict[str, float] = {}

    def register_number(self, name: str, value: float) -> None:
        """Makes a buffer of a number that a schedule may move."""
        self.register_buffer(name, torch.tensor(float(value)))
        self.numbers[name] = value

    def on_step_end(self, output: StepOutput) -> None:
        """Updates the part's state after a batch. The terms in `output` are means over all processes."""

    def metrics(self, output: StepOutput) -> dict[str, Tensor]:
        """Returns values to log beside the losses, by name."""
        return {}


def join(*parts: Terms) -> Terms:
    """Joins the terms of all parts of one loss.

    Raises:
        ValueError: Two parts have a term of the same name.
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
    """Returns the mean of each term."""
    return {name: term.mean() for name, term in terms.items()}


def detached(output: StepOutput) -> StepOutput:
    """Returns the same values without their graph."""
    return StepOutput(
        terms={
            player: {name: term.detach() for name, term in terms.items()} for player, terms in output["terms"].items()
        },
        logits={kind: logits.detach() for kind, logits in output["logits"].items()},
    )


def total(terms: Terms) -> Tensor:
    """Returns the loss, the sum of its terms."""
    return functools.reduce(operator.add, terms.values())


def to_float32(logits: Tensor) -> Tensor:
    """Turns 16-bit numbers into float32; returns others as they are."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
