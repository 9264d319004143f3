"""A batch, real or generated."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from gan_lightning.models.packing import pack


@dataclass(frozen=True)
class Batch:
    """Samples with their conditions and latents.

    Attributes:
        samples: (batch, *shape of a sample), in [-1, 1].
        condition: Condition vectors (batch, condition_dim); None in an unconditional model.
        z: The latents (batch, latent_dim) of generated samples; None for real ones.
    """

    samples: Tensor
    condition: Tensor | None
    z: Tensor | None = None

    def with_gradient(self) -> Batch:
        """Returns the same batch, at whose samples gradients can be taken."""
        return self if self.samples.requires_grad else replace(self, samples=self.samples.detach().requires_grad_())

    def packed(self, count: int) -> Batch:
        """Returns a batch whose samples are packs of `count` neighbors, with conditions and latents side by side."""
        if count == 1:
            return self
        condition, z = (None if part is None else pack(part, count) for part in (self.condition, self.z))
        return Batch(pack(self.samples, count), condition, z)

    def chunk(self, count: int) -> list[Batch]:
        """Splits a real batch into `count` micro-batches."""
        conditions = [None] * count if self.condition is None else self.condition.chunk(count)
        return [Batch(*part) for part in zip(self.samples.chunk(count), conditions, strict=True)]
