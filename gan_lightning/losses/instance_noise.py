"""Instance noise: both players' samples are blurred before D, less and less."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_lightning.losses.terms import Part, StepOutput


class InstanceNoise(Part):
    """Instance noise: Sonderby et al. 2017 (arXiv:1610.04490). D sees x + e and G(z) + e, e ~ N(0, std^2).

    The noise is in both players' losses, and is drawn with torch's default generators, as an augmentation's numbers.
    The paper lets std fall to 0 in training: a schedule of `augment.std` does. Samples need not be images.

    Args:
        std: The standard deviation of each number; samples are in [-1, 1].
    """

    std: Tensor

    def __init__(self, std: float) -> None:
        super().__init__()
        self.register_number("std", std)

    def forward(self, samples: Tensor) -> Tensor:
        """Returns the samples with noise."""
        return samples + self.std * torch.randn_like(samples)

    def metrics(self, output: StepOutput) -> dict[str, Tensor]:
        """Returns the deviation as `augment/std`."""
        return {"augment/std": self.std}
