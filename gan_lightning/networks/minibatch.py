"""Minibatch discrimination, a layer that any discriminator can hold."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gan_lightning.specs import Described


class MinibatchDiscrimination(Described, nn.Module):
    """Tells each sample how close the others of its batch are: Salimans et al. 2016 (arXiv:1606.03498), section 3.2.

        M_i = x_i T,    o(x_i)_b = sum over j != i of exp(-||M_ib - M_jb||_1),    output [x_i, o(x_i)]

    The batch is this process's: with several processes it is a smaller one. A bias in T would cancel out.

    Args:
        features: The width of the input.
        kernels: How many closenesses b are added to it.
        kernel_dim: The width of each M_ib.
        std: The standard deviation of the initial T, whose mean is 0.
    """

    def __init__(self, features: int, kernels: int = 5, kernel_dim: int = 3, std: float = 0.02) -> None:
        super().__init__()
        self.kernels, self.kernel_dim = kernels, kernel_dim
        self.weight = nn.Parameter(torch.randn(features, kernels * kernel_dim) * std)

    def forward(self, x: Float[Tensor, "batch features"]) -> Float[Tensor, "batch widened"]:
        activation = (x @ self.weight).view(-1, self.kernels, self.kernel_dim)
        distances = (activation.unsqueeze(0) - activation.unsqueeze(1)).abs().sum(3)
        closeness = torch.exp(-distances).sum(1) - 1  # without the sample itself, whose distance is 0
        return torch.cat([x, closeness], 1)
