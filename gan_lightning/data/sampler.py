"""The order of the data, as a function of (seed, batch)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from gan_lightning import rng
from gan_lightning.errors import UserError


class BatchSampler(DistributedSampler[Tensor]):
    """This process's slice of each global batch, starting from the batch that is due.

    Batch k of the run lies in epoch k // len(self), whose order is a permutation keyed by (seed, epoch);
    the samples that do not fill a last batch are left out of that epoch. Nothing is remembered, so a
    resumed run goes on with the very batch it would have seen next. It is a DistributedSampler, so that Lightning does
    not share it a second time.

    Args:
        size: number of samples in the data set.
        batch_size: samples per batch, over all processes together.
        seed: keys the permutations.
        position: the number of batches that the run has trained on.
        rank: which slice of the batch is ours.
        world_size: the number of slices.
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
        share = self.batch_size // self.num_replicas
        order_of, order = -1, None
        first = self.position()
        for batch in range(first, first + len(self)):
            epoch, index = divmod(batch, len(self))
            if order_of != epoch:
                order_of, order = epoch, rng.permutation(self.size, "order", self.seed, epoch)
            start = index * self.batch_size + self.rank * share
            assert order is not None
            yield order[start : start + share]


def require_even_shares(batch_size: int, world_size: int) -> None:
    """Raises a UserError where processes would get different numbers of samples."""
    if batch_size % world_size:
        raise UserError(
            f"data.batch_size={batch_size} cannot be shared evenly by {world_size} processes: "
            "choose a multiple, or other trainer.devices"
        )


class TensorBatches(Dataset[tuple[Tensor, Tensor]]):
    """Images and labels in memory, taken a batch at a time by one indexing call."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images = images
        self.labels = labels

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        return self.images[indices], self.labels[indices]


class ResumableLoader(DataLoader[Any]):
    """A DataLoader over `BatchSampler`, which finds its own place.

    Lightning warns of inexact resumption unless a loader offers these two methods.
    """

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """There is nothing to restore: the sampler asks for the position."""
