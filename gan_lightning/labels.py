"""What a conditional GAN is told of a sample: its class, or its tags, as a vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Num
from torch import Tensor
from torch.nn.functional import one_hot

from gan_lightning.errors import UserError


class LabelVocabulary:
    """The vocabulary of a data set's labels, and examples of how they occur together.

    A condition vector has one entry a name: one-hot for classes, multi-hot for tags, all zero where a sample
    is not labeled.

    Args:
        names: of the entries, in order.
        examples: different condition vectors of labeled training samples, (n, len(names)); conditions are drawn
            from them.
        counts: how often each occurs.
    """

    MOST = 4096
    """Different examples that are kept, evenly chosen."""

    def __init__(self, names: Sequence[str], examples: Num[Tensor, "n names"], counts: Num[Tensor, " n"]) -> None:
        stride = -(-len(examples) // self.MOST) or 1
        self.names = tuple(names)
        self.examples = examples[::stride].to(torch.uint8)
        self.counts = counts[::stride].float()

    @classmethod
    def of_labels(cls, names: Sequence[str], labels: Num[Tensor, "samples ..."]) -> LabelVocabulary:
        """The vocabulary of a training set: class indices (-1: not labeled), or multi-hot rows (all 0: not)."""
        if labels.ndim == 2:
            labeled = labels[(labels != 0).any(1)]
            if len(labeled) == 0:
                return cls(names, labeled, torch.zeros(0))
            examples, counts = labeled.unique(dim=0, return_counts=True)
            return cls(names, examples.flip(0), counts.flip(0))
        counts = torch.bincount(labels[labels >= 0], minlength=len(names))
        return cls(names, torch.eye(len(names), dtype=torch.uint8)[counts > 0], counts[counts > 0])

    def state(self) -> dict[str, Any]:
        """Plain containers, from which `LabelVocabulary(**state)` makes it again."""
        return {"names": list(self.names), "examples": self.examples, "counts": self.counts}

    def vectors(self, condition: Num[Tensor, "batch ..."]) -> Float[Tensor, "batch names"]:
        """Class indices (-1: not labeled) or multi-hot rows as condition vectors."""
        return as_vectors(condition, len(self.names)).float()

    def draw(
        self, count: int, generator: torch.Generator, asked: Float[Tensor, " names"] | None = None
    ) -> Float[Tensor, "count names"]:
        """`count` conditions of training samples, of those that hold all that is `asked`, on the generator's device.

        Where no training sample does, each is `asked` itself.
        """
        examples, counts = self.examples, self.counts
        if asked is not None:
            holding = (examples >= asked.to(examples)).all(1)
            if not holding.any():
                return asked.to(generator.device).expand(count, -1).float()
            examples, counts = examples[holding], counts[holding]
        picks = torch.multinomial(counts.to(generator.device), count, replacement=True, generator=generator)
        return examples.to(generator.device)[picks].float()

    def distinct(self, most: int) -> Float[Tensor, "rows names"]:
        """At most `most` different conditions that occur, evenly chosen among them."""
        picks = torch.linspace(0, len(self.examples) - 1, min(most, len(self.examples))).round().long()
        return self.examples[picks].float()

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
