"""The labels of a conditional GAN: classes or tags, encoded as condition vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Num
from torch import Tensor

from gan_lightning.errors import UserError


class LabelVocabulary:
    """The names of a data set's labels, and examples of how the labels occur together.

    A condition vector has one entry for each name: one-hot for classes, multi-hot for tags, all zero where a sample
    has no label.

    Args:
        names: The names of the entries, in order.
        examples: The distinct condition vectors of labeled training samples, (n, len(names)). Conditions are sampled
            from them.
        counts: The number of training samples with each example, (n,).
    """

    MAX_EXAMPLES = 4096
    """The largest number of distinct examples to keep; of more, an evenly spaced part is kept."""

    def __init__(self, names: Sequence[str], examples: Num[Tensor, "n names"], counts: Num[Tensor, " n"]) -> None:
        stride = -(-len(examples) // self.MAX_EXAMPLES) or 1
        self.names = tuple(names)
        self.examples = examples[::stride].to(torch.uint8)
        self.counts = counts[::stride].float()

    @classmethod
    def of_labels(cls, names: Sequence[str], labels: Num[Tensor, "samples ..."]) -> LabelVocabulary:
        """Builds the vocabulary of a training set.

        Args:
            names: The names of the classes or tags.
            labels: Class indices (-1: no label), or multi-hot rows (all 0: no label).
        """
        if labels.ndim == 2:
            labeled = labels[(labels != 0).any(1)]
            if len(labeled) == 0:
                return cls(names, labeled, torch.zeros(0))
            examples, counts = labeled.unique(dim=0, return_counts=True)
            return cls(names, examples.flip(0), counts.flip(0))
        counts = torch.bincount(labels[labels >= 0], minlength=len(names))
        return cls(names, torch.eye(len(names), dtype=torch.uint8)[counts > 0], counts[counts > 0])

    @property
    def has_classes(self) -> bool:
        """Whether a sample has exactly one of the labels; else they are tags."""
        return bool((self.examples.sum(1) == 1).all())

    def state(self) -> dict[str, Any]:
        """Returns plain containers from which `LabelVocabulary(**state)` builds it again."""
        return {"names": list(self.names), "examples": self.examples.cpu(), "counts": self.counts.cpu()}

    def to(self, device: torch.device) -> LabelVocabulary:
        """Returns the vocabulary with its examples on a device."""
        return LabelVocabulary(self.names, self.examples.to(device), self.counts.to(device))

    def encode(self, labels: Num[Tensor, "batch ..."]) -> Float[Tensor, "batch names"]:
        """Turns class indices (-1: no label) or multi-hot rows into condition vectors."""
        return to_vectors(labels, len(self.names))

    def sample(
        self, count: int, generator: torch.Generator, required: Float[Tensor, " names"] | None = None
    ) -> Float[Tensor, "count names"]:
        """Samples condition vectors with their frequencies in the training data, on the generator's device.

        Args:
            count: The number of vectors.
            generator: The source of randomness.
            required: A vector whose labels every sampled vector must have. Where no training sample has all of them,
                the vector itself is returned `count` times. None: no restriction.
        """
        examples, counts = self.examples, self.counts
        if required is not None:
            matching = (examples >= required.to(examples)).all(1)
            if not matching.any():
                return required.to(generator.device).expand(count, -1).to(torch.get_default_dtype())
            examples, counts = examples[matching], counts[matching]
        picks = torch.multinomial(counts.to(generator.device), count, replacement=True, generator=generator)
        return examples.to(generator.device)[picks].to(torch.get_default_dtype())

    def distinct(self, max_rows: int) -> Float[Tensor, "rows names"]:
        """Returns at most `max_rows` distinct condition vectors, evenly spaced among the examples."""
        picks = torch.linspace(0, len(self.examples) - 1, min(max_rows, len(self.examples))).round().long()
        return self.examples[picks].float()

    def describe(self, vector: Num[Tensor, " names"]) -> str:
        """Returns the names of the labels in a condition vector."""
        return ", ".join(name for name, present in zip(self.names, vector.tolist(), strict=True) if present)

    def parse(self, text: str) -> Float[Tensor, " names"]:
        """Turns a comma-separated list of names into a condition vector.

        Raises:
            UserError: A name is not in the vocabulary, or the text names several classes where a sample has only one.
        """
        wanted = [name.strip().lower() for name in text.split(",")]
        known = [name.lower() for name in self.names]
        unknown = [name for name in wanted if name not in known]
        if unknown:
            raise UserError(f"{', '.join(unknown)}: no such label. There are: {', '.join(self.names)}")
        if len(wanted) > 1 and self.has_classes:
            raise UserError(f"{text}: a sample has one of these labels; expected one of {', '.join(self.names)}")
        return torch.tensor([float(name in wanted) for name in known])


def to_vectors(labels: Num[Tensor, "batch ..."], num_classes: int) -> Float[Tensor, "batch names"]:
    """Turns class indices into one-hot rows, and index -1 into a row of zeros; returns multi-hot rows as they are."""
    if labels.ndim == 1:  # not one_hot, which reads the labels on most devices
        labels = labels.unsqueeze(1) == torch.arange(num_classes, device=labels.device)
    return labels.to(torch.get_default_dtype())
