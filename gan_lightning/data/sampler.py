"""The order of the data, as a function of (seed, batch)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from gan_lightning import rng
from gan_lightning.errors import UserError

HOST = torch.device("cpu")


class ShardedBatchSampler(DistributedSampler[tuple[Tensor, ...]]):
    """Yields this process's shard of each part of each global batch, starting from the run's current batch.

    Batch k of the run is in epoch k // len(self), whose order is a permutation seeded by (seed, epoch). The samples
    that do not fill a last batch are left out of that epoch. The sampler has no state, so that a resumed run continues
    with the same batch as an uninterrupted one. It is a DistributedSampler, so that Lightning does not split it again.

    Args:
        size: The number of samples in the data set.
        parts: The numbers of samples of a batch, over all processes together: D's, and G's own if there are any.
        seed: The seed of the permutations.
        position: Returns the number of batches that the run has trained on.
        rank: The index of this process's shard.
        world_size: The number of processes, and so of shards.
        device: The device of the indices. The permutations are computed on the CPU, so that they are the same.
    """

    def __init__(
        self,
        size: int,
        parts: Sequence[int],
        seed: int,
        position: Callable[[], int] = lambda: 0,
        rank: int = 0,
        world_size: int = 1,
        device: torch.device = HOST,
    ) -> None:
        super().__init__(range(size), world_size, rank, seed=seed)  # type: ignore[arg-type]
        self.size = size
        self.parts = parts
        self.position = position
        self.device = device

    def __len__(self) -> int:
        return self.size // sum(self.parts)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        order_of, order = -1, None
        first = self.position()
        for batch in range(first, first + len(self)):
            epoch, index = divmod(batch, len(self))
            if order_of != epoch:
                order_of, order = epoch, self._order(epoch)
            assert order is not None
            batch_of_all = order[index * sum(self.parts) :][: sum(self.parts)]
            yield tuple(part.chunk(self.num_replicas)[self.rank] for part in batch_of_all.split(list(self.parts)))

    def _order(self, epoch: int) -> Tensor:
        order = rng.permutation(self.size, "order", self.seed, epoch)
        if self.device.type == "cuda":
            order = order.pin_memory()  # from other memory, the copy would wait until the GPU has nothing left to do
        return order.to(self.device, non_blocking=True)


def batch_parts(batch_size: int, generator_real_batch_size: int | None, world_size: int) -> list[int]:
    """Returns the numbers of samples of a global batch: D's, and G's own if there are any.

    Raises:
        UserError: The processes would get different numbers of samples.
    """
    sizes = {"batch_size": batch_size, "generator_real_batch_size": generator_real_batch_size or 0}
    for name, size in sizes.items():
        if size % world_size:
            raise UserError(
                f"data.{name}={size} cannot be split evenly between {world_size} processes: "
                "choose a multiple, or other trainer.devices"
            )
    return [size for size in sizes.values() if size]


class TensorBatches(Dataset[tuple[Tensor, ...]]):
    """Images and labels in memory; one indexing call returns the images and labels of each part of a batch.

    Args:
        images: (count, ...).
        labels: (count, ...), on the same device.
    """

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images = images
        self.labels = labels

    def __getitem__(self, parts: Sequence[Tensor]) -> tuple[Tensor, ...]:
        # It is ten times as fast as images[indices] on a CPU, for bytes.
        return tuple(field.index_select(0, indices) for indices in parts for field in (self.images, self.labels))

    def to(self, device: torch.device) -> TensorBatches:
        """Returns the same data on a device."""
        return TensorBatches(self.images.to(device), self.labels.to(device))

    def fit_on(self, device: torch.device, fraction: float) -> bool:
        """Whether the data takes at most that fraction of the free memory of a GPU; no for another device."""
        return self.images.nbytes + self.labels.nbytes <= fraction * free_memory(device)


def free_memory(device: torch.device) -> int:
    """Returns the free memory of a GPU in bytes; 0 for another device."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0


class ResumableLoader(DataLoader[Any]):
    """A DataLoader with a sampler that starts at the run's current batch by itself.

    Lightning warns about inexact resume unless a loader has `state_dict` and `load_state_dict`.
    """

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Does nothing: the sampler reads the position from the trainer."""
