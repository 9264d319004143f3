"""Means and sums over all processes, with torch.distributed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.nn
from torch import Tensor

from gan_lightning._compat.torch import copy_all_


@torch.no_grad()
def all_reduce_mean_(tensors: Sequence[Tensor]) -> None:
    """Replaces every tensor by its mean over all processes, in one all-reduce."""
    flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    means = flat.split([tensor.numel() for tensor in tensors])
    copy_all_(tensors, [mean.view_as(tensor) for tensor, mean in zip(tensors, means, strict=True)])


def all_reduce_sum_(tensor: Tensor) -> Tensor:
    """Replaces a tensor by its sum over all processes, and returns it; does nothing in a single process."""
    if dist.is_available() and dist.is_initialized():
        dist.all_reduce(tensor)
    return tensor


def all_reduce_mean(mean: Tensor) -> Tensor:
    """Returns the mean of a tensor over all processes, with gradients to all of them."""
    if not (dist.is_available() and dist.is_initialized()):
        return mean
    return dist.nn.functional.all_reduce(mean) / dist.get_world_size()


def all_gather(rows: Tensor) -> Tensor:
    """Returns the rows of all processes in the order of their ranks, with gradients to all of them.

    Every process has as many.
    """
    if not (dist.is_available() and dist.is_initialized()):
        return rows
    return torch.cat(dist.nn.functional.all_gather(rows.contiguous()))


def rank() -> int:
    """Returns the number of this process, from 0 on."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def gather_to_rank_zero(own: Any) -> list[Any]:
    """Returns the objects of all processes in the order of their ranks, on rank 0; an empty list on other ranks."""
    parts: list[Any] | None = [None] * dist.get_world_size() if dist.get_rank() == 0 else None
    dist.gather_object(own, parts)
    return parts or []
