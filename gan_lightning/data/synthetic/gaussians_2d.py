"""Gaussians in a plane, whose modes can be counted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gan_lightning.data.synthetic.base import SyntheticData

Points = Float[Tensor, "count 2"]
Layout = Literal["ring", "grid"]
STD: dict[Layout, float] = {"ring": 0.02, "grid": 0.05}


class Gaussians2D(SyntheticData):
    """A mixture of Gaussians with equal weights: 8 on a ring, or 25 on a grid.

    ring: radius 2, standard deviation 0.02, Metz et al. 2017 (arXiv:1611.02163), appendix A.
    grid: 5 x 5, 2 apart, standard deviation 0.05, Lin et al. 2018 (arXiv:1712.04086), section 4.1.

    These are the papers' units. Since most generators end in tanh, everything is scaled by one factor, so that the
    largest coordinate of a mean is `extent`; `sample`, `means` and `std` are scaled. The metrics do not depend on
    the scale.

    Args:
        image_shape: The shape of a sample, (2,).
        layout: Whether the means are on a ring or on a grid.
        std: The standard deviation of each Gaussian, in the papers' units; None: the value of the paper.
        extent: The largest coordinate of a mean after scaling; below 1 if the generator ends in tanh.
        batch_size: The number of samples per step, over all processes together.
        batches_per_epoch: The number of batches that count as an epoch.
        more: Further arguments of `SyntheticData`.
    """

    def __init__(
        self,
        image_shape: Sequence[int] = (2,),
        layout: Layout = "ring",
        std: float | None = None,
        extent: float = 0.8,
        batch_size: int = 512,
        batches_per_epoch: int = 100,
        **more: Any,
    ) -> None:
        super().__init__(image_shape, batch_size, batches_per_epoch, **more)
        means = _ring() if layout == "ring" else _grid()
        scale = extent / means.abs().max().item()
        self.extent = extent
        self.means: Points = means * scale
        self.std = (STD[layout] if std is None else std) * scale

    def sample(self, count: int, generator: torch.Generator) -> Points:
        modes = torch.randint(len(self.means), (count,), generator=generator)
        return self.means[modes] + self.std * torch.randn(count, 2, generator=generator)

    def modes_covered(self, samples: Points, least: float = 0.0) -> int:
        """The number of modes with a sample within three standard deviations: Lin et al. 2018, section 4.1.

        Args:
            samples: The samples, in [-1, 1].
            least: The part of the samples that a mode needs to count as covered; 0: one sample is enough.
        """
        hits = self._hits(samples).sum(0)
        return int((hits >= max(1, least * len(samples))).sum())

    def high_quality(self, samples: Points) -> float:
        """Fraction of samples within three standard deviations of a mode (ibid.); 1 - exp(-9/2) for real samples."""
        return self._hits(samples).any(1).double().mean().item()

    def _hits(self, samples: Points) -> Bool[Tensor, "count modes"]:
        return torch.cdist(samples.double(), self.means.double()) <= 3 * self.std


def _ring(modes: int = 8, radius: float = 2.0) -> Points:
    angles = 2 * math.pi * torch.arange(modes) / modes
    return radius * torch.stack([angles.cos(), angles.sin()], 1)


def _grid(side: int = 5, spacing: float = 2.0) -> Points:
    places = spacing * (torch.arange(side) - (side - 1) / 2)
    return torch.cartesian_prod(places, places)
