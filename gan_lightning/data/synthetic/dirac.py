"""The data of the DiracGAN: one point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gan_lightning.data.synthetic.base import SyntheticData


class Dirac(SyntheticData):
    """The number 0, again and again: Mescheder et al. 2018 (arXiv:1801.04406), definition 2.1.

    Args:
        image_shape: The shape of a sample, (1,).
        noise_std: The standard deviation of instance noise (ibid., section 3.2), which is added to every sample; the
            generator needs the same.
        batch_size: The number of samples per step, over all processes together.
        batches_per_epoch: The number of batches that count as an epoch.
        more: Further arguments of `SyntheticData`.
    """

    def __init__(
        self,
        image_shape: Sequence[int] = (1,),
        noise_std: float = 0.0,
        batch_size: int = 1,
        batches_per_epoch: int = 500,
        **more: Any,
    ) -> None:
        super().__init__(image_shape, batch_size, batches_per_epoch, **more)
        self.noise_std = noise_std

    def sample(self, count: int, generator: torch.Generator) -> Float[Tensor, "count 1"]:
        return self.noise_std * torch.randn(count, 1, generator=generator)
