"""Self-attention between the positions of a feature map, for several families of networks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """Self-attention: Zhang et al. 2019 (arXiv:1805.08318), eqs. 1-3, in the form of the code of BigGAN.

        x + gamma * O (G(x) softmax(theta(x)^T phi(x))^T),    at first gamma = 0

    theta, phi, G and O are 1x1 convolutions without a bias, to 1/8 (theta, phi) and 1/2 (G) of the channels and back
    (O). phi(x) and G(x) are max-pooled by 2, so that each position attends to a quarter of the positions.

    Args:
        channels: The channels of the feature map.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner, half = max(channels // 8, 1), max(channels // 2, 1)
        self.theta = nn.Conv2d(channels, inner, kernel_size=1, bias=False)
        self.phi = nn.Conv2d(channels, inner, kernel_size=1, bias=False)
        self.g = nn.Conv2d(channels, half, kernel_size=1, bias=False)
        self.o = nn.Conv2d(half, channels, kernel_size=1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(1))
        self.pool = nn.MaxPool2d(2)
        for layer in (self.theta, self.phi, self.g, self.o):
            nn.init.xavier_uniform_(layer.weight)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels height width"]:
        theta, phi, g = self.theta(x).flatten(2), self.pool(self.phi(x)).flatten(2), self.pool(self.g(x)).flatten(2)
        # torch's fused attention has no second derivative, which the gradient penalties need.
        attention = torch.softmax(theta.transpose(1, 2) @ phi, -1)
        attended = (g @ attention.transpose(1, 2)).unflatten(2, x.shape[2:])
        return x + self.gamma * self.o(attended)


def attended_map(attention: int | None, heights: Sequence[int], player: str) -> int | None:
    """The index of the first feature map of a height, at which self-attention stands; None: there is none.

    Args:
        attention: The height; None: there is no self-attention.
        heights: The heights of the network's maps.
        player: "generator" or "discriminator", for the message.

    Raises:
        ValueError: No map has this height.
    """
    if attention is None:
        return None
    if attention not in heights:
        raise ValueError(
            f"network.{player}.attention={attention}: its feature maps have the heights "
            f"{', '.join(map(str, dict.fromkeys(heights)))}; expected one of them, or null for no self-attention"
        )
    return list(heights).index(attention)
