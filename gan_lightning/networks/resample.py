"""The filter [1, 3, 3, 1] in both directions, with which feature maps are resized; beyond their border are zeros."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from gan_lightning.networks.grouped_conv import Geometry, grouped_conv2d


class Resample(nn.Module):
    """Doubles or halves a feature map by bilinear interpolation: the filter [1, 2, 1] * [1, 1] = [1, 3, 3, 1].

    Args:
        up: Whether the size is doubled; else it is halved.
    """

    taps: Tensor

    def __init__(self, up: bool) -> None:
        super().__init__()
        self.up = up
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / (4 if up else 8)  # a new pixel sees half of them, or all
        self.register_buffer("taps", torch.outer(taps, taps)[None, None], persistent=False)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels new_h new_w"]:
        channels = x.shape[1]
        taps = self.taps.expand(channels, -1, -1, -1)
        if self.up:
            return functional.conv_transpose2d(x, taps, stride=2, padding=1, groups=channels)
        return grouped_conv2d(x, taps, None, Geometry(stride=2, padding=1, groups=channels))


class Blur(nn.Module):
    """Filters each channel of a feature map, before a convolution that halves its size or after one that doubles it.

    Args:
        padding: The number of zeros on each side; the output is 2 * padding - 3 pixels larger than the input.
        gain: The factor of a constant map.
    """

    taps: Tensor

    def __init__(self, padding: int, gain: float = 1.0) -> None:
        super().__init__()
        self.padding = padding
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("taps", gain * torch.outer(taps, taps)[None, None], persistent=False)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels new_h new_w"]:
        channels = x.shape[1]
        taps = self.taps.expand(channels, -1, -1, -1)
        return grouped_conv2d(x, taps, None, Geometry(stride=1, padding=self.padding, groups=channels))
