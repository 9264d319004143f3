"""What a conditional GAN is told of a sample: its class, or its tags, as a vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Num
from torch import Tensor
from torch.nn.functional import one_hot

from gan_lightning.errors import UserError


class Conditions:
    """The vocabulary of a data set's labels, and examples of how they occur together.

    A condition vector has one entry a name: one-hot for classes, multi-hot for tags, all zero where a sample
    is not labelled.

    Args:
        names: of the entries, in order.
        examples: condition vectors of labelled training samples, (n, len(names)); conditions are drawn from them.
    """

    MOST = 4096
    """Examples that are kept."""

    def __init__(self, names: Sequence[str], examples: Num[Tensor, "n names"]) -> None:
        self.names = tuple(names)
        self.examples = thinned(examples, self.MOST).to(torch.uint8)

    def state(self) -> dict[str, Any]:
        """Plain containers, from which `Conditions(**state)` makes it again."""
        return {"names": list(self.names), "examples": self.examples}

    def vectors(self, condition: Num[Tensor, "batch ..."]) -> Float[Tensor, "batch names"]:
        """Class indices (-1: not labelled) or multi-hot rows as condition vectors."""
        return as_vectors(condition, len(self.names)).float()

    def draw(
        self, count: int, generator: torch.Generator, asked: Float[Tensor, " names"] | None = None
    ) -> Float[Tensor, "count names"]:
        """`count` conditions of training samples, of those that hold all that is `asked`, on the generator's device.

        Where no training sample does, each is `asked` itself.
        """
        examples = self.examples
        if asked is not None:
            holding = (examples >= asked.to(examples)).all(1)
            examples = examples[holding] if holding.any() else asked.unsqueeze(0)
        picks = torch.randint(len(examples), (count,), generator=generator, device=generator.device)
        return examples.to(generator.device)[picks].float()

    def distinct(self, most: int) -> Float[Tensor, "rows names"]:
        """At most `most` different conditions that occur, evenly chosen among them."""
        different = self.examples.unique(dim=0).flip(0)  # class 0 first
        picks = torch.linspace(0, len(different) - 1, min(most, len(different))).round().long()
        return different[picks].float()

    def describe(self, vector: Num[Tensor, " names"]) -> str:
        """The names in a condition vector."""
        return ", ".join(name for name, there in zip(self.names, vector.tolist(), strict=True) if there)

    def parse(self, text: str) -> Float[Tensor, " names"]:
        """The vector of a comma-separated list of names.

        Raises:
            UserError: a name is not in the vocabulary.
        """
        asked = [name.strip().lower() for name in text.split(",")]
        known = [name.lower() for name in self.names]
        unknown = [name for name in asked if name not in known]
        if unknown:
            raise UserError(f"{', '.join(unknown)}: no such label. There are: {', '.join(self.names)}")
        if len(asked) > 1 and (self.examples.sum(1) == 1).all():
            raise UserError(f"{text}: a sample has one of these labels; expected one of {', '.join(self.names)}")
        return torch.tensor([float(name in asked) for name in known])


def as_vectors(condition: Num[Tensor, "batch ..."], count: int) -> Num[Tensor, "batch names"]:
    """Class indices as one-hot rows, index -1 as a row of zeros; rows are returned as they are."""
    return condition if condition.ndim == 2 else one_hot(condition.long() + 1, count + 1)[:, 1:]


def thinned(condition: Num[Tensor, "batch ..."], most: int) -> Num[Tensor, "few ..."]:
    """At most so many of the class indices or rows that are labelled, evenly chosen."""
    labelled = condition[(condition != 0).any(1) if condition.ndim == 2 else condition >= 0]
    return labelled[:: -(-len(labelled) // most) or 1]
