"""Distribution of a user's own DataLoader over several processes: each process gets its own part of the samples."""

from __future__ import annotations

from typing import Any

import torch.distributed as dist
from lightning.fabric.utilities.distributed import DistributedSamplerWrapper
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
)

from gan_lightning.errors import UserError

REMEDY = (
    "Give a DataLoader of a map-style data set with shuffle=True or False, or with a DistributedSampler as its "
    "sampler; or train in one process, trainer.devices=1"
)


def share_loader(loader: Any, world_size: int, rank: int, seed: int) -> None:
    """Restricts `loader` to this process's part of its samples, in place.

    The parts are disjoint and of the same size; up to world_size - 1 samples are left out of an epoch. A loader that
    shuffles has an order that depends on (seed, epoch) and is the same in all processes. `batch_size` remains the
    number of samples in a batch of one process. A loader with a `DistributedSampler` is not changed.

    Only the sampler inside the loader's batch sampler is replaced, so that all other settings of the loader remain.

    Args:
        loader: The training DataLoader.
        world_size: The number of processes.
        rank: The rank of this process.
        seed: The seed of the order.

    Raises:
        UserError: The loader cannot be distributed, or there is no batch for each process.
    """
    sampler = _sampler_of(loader)
    if isinstance(sampler, DistributedSampler) and not isinstance(sampler, DistributedSamplerWrapper):
        # Before the process group exists, a data module may not know its rank.
        if dist.is_initialized() and (sampler.num_replicas, sampler.rank) != (world_size, rank):
            raise UserError(
                f"the training DataLoader's DistributedSampler is that of process {sampler.rank} of "
                f"{sampler.num_replicas}; expected {rank} of {world_size}"
            )
        return
    reason = _obstacle(loader, sampler)
    if reason is not None:
        raise UserError(
            f"the training data cannot be shared by {world_size} processes: {reason}. All would train on the same "
            f"samples. {REMEDY}"
        )
    shuffle = isinstance(sampler, RandomSampler)
    loader.batch_sampler.sampler = DistributedSampler(
        loader.dataset, world_size, rank, shuffle=shuffle, seed=seed, drop_last=True
    )
    if len(loader) == 0:
        raise UserError(
            f"the training data has {len(loader.dataset)} samples: too few for a batch of {loader.batch_size} in each "
            f"of {world_size} processes. Choose a smaller batch_size of the DataLoader, which is that of one process"
        )


def _sampler_of(loader: Any) -> Sampler[Any] | None:
    inner = getattr(getattr(loader, "batch_sampler", None), "sampler", None)
    return getattr(loader, "sampler", None) if inner is None else inner


def _obstacle(loader: Any, sampler: Sampler[Any] | None) -> str | None:
    """Returns the reason why a loader cannot be distributed; None if it can."""
    if not isinstance(loader, DataLoader):
        return f"it is no DataLoader but a {type(loader).__name__}"
    if isinstance(loader.dataset, IterableDataset):
        return f"{type(loader.dataset).__name__} is an IterableDataset, whose samples have no numbers"
    if type(loader.batch_sampler) is not BatchSampler:
        kind = "none" if loader.batch_sampler is None else f"a {type(loader.batch_sampler).__name__}"
        return f"its batch_sampler is {kind}, not torch's own"
    if isinstance(sampler, RandomSampler):
        whole = not sampler.replacement and sampler.num_samples == len(loader.dataset)  # type: ignore[arg-type]
        return None if whole else "its RandomSampler draws with replacement, or only a part"
    return None if isinstance(sampler, SequentialSampler) else f"its sampler is a {type(sampler).__name__}"
