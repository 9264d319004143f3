"""Standing statistics: batch norm's, of the very weights that generate."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn

BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d


def batch_norms(network: nn.Module) -> list[BatchNorm]:
    """Returns the layers of a network that keep statistics of its batches."""
    return [layer for layer in network.modules() if isinstance(layer, BatchNorm) and layer.track_running_stats]


@torch.no_grad()
def with_standing_statistics(generator: nn.Module, batches: Iterable[tuple[Tensor, Tensor | None]]) -> nn.Module:
    """Returns a copy whose batch norms have the means of their statistics over these batches of (z, condition).

    Brock et al. 2019 (arXiv:1809.11096). The statistics that training leaves are those of earlier weights, and of the
    last weights where the generator is an average of them (EMA). All other layers are in eval mode.
    """
    standing = copy.deepcopy(generator).eval()
    for layer in batch_norms(standing):
        layer.reset_running_stats()
        layer.momentum = None  # the mean of all batches
        layer.train()
    for z, condition in batches:
        standing(z, condition)
    return standing.eval()
