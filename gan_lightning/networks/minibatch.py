"""Layers of a discriminator that compare the samples of a batch: minibatch standard deviation and discrimination."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gan_lightning.specs import Described


class MinibatchStd(Described, nn.Module):
    """Tells each sample how much those of its group differ: Karras et al. 2018 (arXiv:1710.10196), section 3.

    As in StyleGAN, the batch is split into groups, and an added channel has the standard deviation over the group,
    averaged over the positions and over a part of the channels. The sample n is in group n mod (batch / group
    size). The batch is this process's.

    Args:
        group_size: The samples of a group. A batch that it does not divide has the next smaller groups that do. None:
            the whole batch.
        num_channels: The number of channels that are added, each for an equal part of those that enter.
    """

    def __init__(self, group_size: int | None = 4, num_channels: int = 1) -> None:
        super().__init__()
        self.group_size, self.num_channels = group_size, num_channels

    def forward(self, x: Float[Tensor, "batch channels *size"]) -> Float[Tensor, "batch more *size"]:
        batch, size = len(x), x.shape[2:]
        group = next(each for each in range(min(self.group_size or batch, batch), 0, -1) if batch % each == 0)
        parts = x.reshape(group, batch // group, self.num_channels, -1)
        std = (parts.var(0, correction=0) + 1e-8).sqrt().mean(-1).repeat(group, 1)
        return torch.cat([x, std.view(batch, -1, *(1 for _ in size)).expand(-1, -1, *size)], 1)


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
