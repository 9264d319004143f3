"""Unlimited synthetic data: each batch is sampled when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from jaxtyping import Float
from lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import Dataset, DistributedSampler

from gan_lightning import rng
from gan_lightning.data.sampler import HOST, ResumableLoader, batch_parts
from gan_lightning.specs import Described


class DueBatches(DistributedSampler[int]):
    """Yields the run's batch numbers of one epoch, starting from the current batch.

    Every process gets all numbers; `SyntheticData` then selects its samples of each batch.
    """

    def __init__(self, batches: int, position: Callable[[], int], rank: int, world_size: int) -> None:
        super().__init__(range(batches), world_size, rank)  # type: ignore[arg-type]
        self.batches = batches
        self.position = position

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[int]:
        first = self.position()
        yield from range(first, first + self.batches)


class SyntheticBatches(Dataset[tuple[Tensor | None, ...]]):
    """A data set whose item k has the samples of each part of batch k, `sample(k)`, each without a condition."""

    def __init__(self, sample: Callable[[int], Sequence[Tensor]]) -> None:
        self.sample = sample

    def __getitem__(self, batch: int) -> tuple[Tensor | None, ...]:
        return tuple(field for samples in self.sample(batch) for field in (samples, None))


class SyntheticData(Described, LightningDataModule):
    """Unlabeled samples of a known distribution; batch k is a function of (seed, k).

    A distribution overrides `sample`.

    Args:
        image_shape: The shape of a sample: (dimensions,).
        batch_size: The number of samples per step, over all processes together.
        batches_per_epoch: The number of batches that count as an epoch.
        seed: The seed of the samples.
        generator_real_batch_size: The number of real samples of G's own in each step, as of `ImageData`.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        batch_size: int = 64,
        batches_per_epoch: int = 1000,
        seed: int = 0,
        generator_real_batch_size: int | None = None,
    ) -> None:
        super().__init__()
        self.image_shape = tuple(image_shape)
        self.batch_size = batch_size
        self.batches_per_epoch = batches_per_epoch
        self.seed = seed
        self.generator_real_batch_size = generator_real_batch_size

    def sample(self, count: int, generator: torch.Generator) -> Float[Tensor, "count dimensions"]:
        """Samples `count` values of the distribution with `generator`."""
        raise NotImplementedError

    def train_dataloader(self) -> ResumableLoader:
        trainer = self.trainer
        world_size, rank = (trainer.world_size, trainer.global_rank) if trainer else (1, 0)
        parts = batch_parts(self.batch_size, self.generator_real_batch_size, world_size)

        def shard(batch: int) -> list[Tensor]:
            keys = (("data",), ("data", "generator"))
            whole = (
                self.sample(part, rng.generator(*key, self.seed, batch)) for part, key in zip(parts, keys, strict=False)
            )
            return [samples.tensor_split(world_size)[rank] for samples in whole]

        due = DueBatches(self.batches_per_epoch, lambda: trainer.global_step if trainer else 0, rank, world_size)
        device = trainer.strategy.root_device if trainer else HOST
        pinned = device.type == "cuda"
        return ResumableLoader(SyntheticBatches(shard), sampler=due, batch_size=None, pin_memory=pinned)
