"""Means and sums over all processes, with torch.distributed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
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
    return _Sum.apply(mean) / dist.get_world_size()


def all_gather(rows: Tensor) -> Tensor:
    """Returns the rows of all processes in the order of their ranks, with gradients to all of them.

    Every process has as many.
    """
    if not (dist.is_available() and dist.is_initialized()):
        return rows
    before, others = rank() * len(rows), (dist.get_world_size() - 1) * len(rows)
    beside = rows.new_zeros(others, *rows.shape[1:])
    return _Sum.apply(torch.cat([beside[:before], rows, beside[before:]]))


def rank() -> int:
    """Returns the number of this process, from 0 on."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


class _Sum(torch.autograd.Function):
    """The sum over all processes, whose gradient is the sum of those that each of them has."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        return all_reduce_sum_(tensor.clone())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return all_reduce_sum_(gradient.clone())


def gather_to_rank_zero(own: Any) -> list[Any]:
    """Returns the objects of all processes in the order of their ranks, on rank 0; an empty list on other ranks."""
    parts: list[Any] | None = [None] * dist.get_world_size() if dist.get_rank() == 0 else None
    dist.gather_object(own, parts)
    return parts or []
