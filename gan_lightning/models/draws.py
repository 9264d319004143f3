"""The random numbers of one batch, and its scheduled ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from gan_lightning import rng

Sampler = Callable[[int, torch.Generator], Tensor]
"""A function that samples a number of rows with a random generator."""


@dataclass(frozen=True)
class Draws:
    """The random numbers of one batch, as a function of the seed, the batch index and a purpose; its scheduled numbers.

    Every draw is made for the global batch of all processes; each process, and each of its micro-batches, takes its
    shard. So neither resuming nor the number of processes or micro-batches changes a sample's random numbers.

    Attributes:
        seed: The seed of the run.
        batch_index: The position in the run: the number of batches before this one.
        device: The device on which the random numbers are generated.
        shard: The index of our shard of the global batch.
        num_shards: The number of shards.
        scheduled: The numbers that have a schedule, by name: floats, or scalars in a compiled loss.
    """

    seed: int
    batch_index: int
    device: torch.device
    shard: int = 0
    num_shards: int = 1
    scheduled: Mapping[str, Any] = field(default_factory=dict)

    def arguments(self, part: str) -> dict[str, Any]:
        """Returns the scheduled arguments of a part such as "penalties.r1", by their own names."""
        return {
            name.removeprefix(f"{part}."): value
            for name, value in self.scheduled.items()
            if name.startswith(f"{part}.")
        }

    def is_due(self, every: int) -> bool:
        """Whether something that is done every `every` batches is done in this one."""
        return (self.batch_index + 1) % every == 0

    def local_shard(self, sampler: Sampler, count: int, *purpose: str) -> Tensor:
        """Returns our `count` rows of those that `sampler` samples for the global batch."""
        generator = rng.generator(*purpose, self.seed, self.batch_index, device=self.device)
        return sampler(count * self.num_shards, generator)[self.shard * count :][:count]

    def noise(self, count: int, purpose: str, draw: Callable[..., Tensor], *shape: int) -> Tensor:
        """Returns per-sample noise (count, *shape); `draw` is torch.rand or torch.randn."""

        def sampler(total: int, generator: torch.Generator) -> Tensor:
            return draw(total, *shape, generator=generator, device=generator.device)

        return self.local_shard(sampler, count, "rows", purpose)

    def micro_batch(self, index: int, count: int) -> Draws:
        """Returns the draws of the micro-batch `index` of `count`."""
        return replace(self, shard=self.shard * count + index, num_shards=self.num_shards * count)
