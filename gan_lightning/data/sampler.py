"""The order of the data, as a function of (seed, batch)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from gan_lightning import rng
from gan_lightning.errors import UserError


class ShardedBatchSampler(DistributedSampler[Tensor]):
    """Yields this process's shard of each global batch, starting from the run's current batch.

    Batch k of the run is in epoch k // len(self), whose order is a permutation seeded by (seed, epoch). The samples
    that do not fill a last batch are left out of that epoch. The sampler has no state, so that a resumed run continues
    with the same batch as an uninterrupted one. It is a DistributedSampler, so that Lightning does not split it again.

    Args:
        size: The number of samples in the data set.
        batch_size: The number of samples per batch, over all processes together.
        seed: The seed of the permutations.
        position: Returns the number of batches that the run has trained on.
        rank: The index of this process's shard.
        world_size: The number of processes, and so of shards.
    """

    def __init__(
        self,
        size: int,
        batch_size: int,
        seed: int,
        position: Callable[[], int] = lambda: 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        super().__init__(range(size), world_size, rank, seed=seed)  # type: ignore[arg-type]
        self.size = size
        self.batch_size = batch_size
        self.position = position

    def __len__(self) -> int:
        return self.size // self.batch_size

    def __iter__(self) -> Iterator[Tensor]:
        shard = self.batch_size // self.num_replicas
        order_of, order = -1, None
        first = self.position()
        for batch in range(first, first + len(self)):
            epoch, index = divmod(batch, len(self))
            if order_of != epoch:
                order_of, order = epoch, rng.permutation(self.size, "order", self.seed, epoch)
            start = index * self.batch_size + self.rank * shard
            assert order is not None
            yield order[start : start + shard]


def require_even_shards(batch_size: int, world_size: int) -> None:
    """Raises a UserError if the processes would get different numbers of samples."""
    if batch_size % world_size:
        raise UserError(
            f"data.batch_size={batch_size} cannot be split evenly between {world_size} processes: "
            "choose a multiple, or other trainer.devices"
        )


class TensorBatches(Dataset[tuple[Tensor, Tensor]]):
    """Images and labels in memory; one indexing call returns a whole batch."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images = images
        self.labels = labels

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        return self.images[indices], self.labels[indices]


class ResumableLoader(DataLoader[Any]):
    """A DataLoader with a sampler that starts at the run's current batch by itself.

    Lightning warns about inexact resume unless a loader has `state_dict` and `load_state_dict`.
    """

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Does nothing: the sampler reads the position from the trainer."""
