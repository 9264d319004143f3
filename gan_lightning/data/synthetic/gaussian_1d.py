"""One-dimensional normal data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gan_lightning.data.synthetic.base import SyntheticData


class Gaussian1D(SyntheticData):
    """Samples of N(mean, std), each batch in ascending order.

    Args:
        image_shape: The shape of a sample, (1,).
        mean: The mean of the distribution.
        std: Its standard deviation.
        batch_size: The number of samples per step, over all processes together.
        batches_per_epoch: The number of batches that count as an epoch.
        more: Further arguments of `SyntheticData`.
    """

    def __init__(
        self,
        image_shape: Sequence[int] = (1,),
        mean: float = 4.0,
        std: float = 0.5,
        batch_size: int = 12,
        batches_per_epoch: int = 100,
        **more: Any,
    ) -> None:
        super().__init__(image_shape, batch_size, batches_per_epoch, **more)
        self.mean, self.std = mean, std

    def sample(self, count: int, generator: torch.Generator) -> Float[Tensor, "count 1"]:
        samples = torch.randn(count, generator=generator) * self.std + self.mean
        return samples.sort().values.unsqueeze(1)
