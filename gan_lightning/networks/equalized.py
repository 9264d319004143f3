"""Layers with an equalized learning rate: Karras et al. 2018 (arXiv:1710.10196), section 4.1.

Weights start as N(0, 1), and each layer multiplies them by its `weight_gain`, 1 / sqrt(fan in). So an optimizer that
normalizes gradients, such as Adam, moves the weights of all layers by the same part of their size.
"""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class EqualizedLinear(nn.Linear):
    """y = W x / sqrt(fan in) + b.

    Args:
        in_dim: The width of x.
        out_dim: The width of y.
        bias: Whether there is b.
        bias_init: The initial b.
        lr_multiplier: The factor of the learning rate: W starts as N(0, 1) divided by it, and W and b are multiplied
            by it.
    """

    def __init__(
        self, in_dim: int, out_dim: int, bias: bool = True, bias_init: float = 0.0, lr_multiplier: float = 1.0
    ) -> None:
        super().__init__(in_dim, out_dim, bias=bias)
        self.lr_multiplier = lr_multiplier
        self.weight_gain = lr_multiplier / math.sqrt(in_dim)
        nn.init.normal_(self.weight, 0.0, 1 / lr_multiplier)
        if bias:
            nn.init.constant_(self.bias, bias_init)

    def forward(self, input: Float[Tensor, "batch in"]) -> Float[Tensor, "batch out"]:
        bias = None if self.bias is None else self.bias * self.lr_multiplier
        return functional.linear(input, self.weight * self.weight_gain, bias)


class EqualizedConv2d(nn.Conv2d):
    """y = W * x / sqrt(fan in) + b; it keeps the size of a map, or makes half of one that has been padded by `Blur`.

    Args:
        in_channels: The channels of x.
        out_channels: The channels of y.
        kernel_size: The height and width of W.
        halve: Whether the stride is 2, without padding; else it is 1, with padding.
        bias: Whether there is b, which starts at 0.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, halve: bool = False, bias: bool = True
    ) -> None:
        stride, padding = (2, 0) if halve else (1, kernel_size // 2)
        super().__init__(in_channels, out_channels, kernel_size, stride=stride, padding=padding, bias=bias)
        self.weight_gain = 1 / math.sqrt(self.weight[0].numel())
        nn.init.normal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, input: Float[Tensor, "batch in height width"]) -> Float[Tensor, "batch out new_height new_width"]:
        weight = self.weight * self.weight_gain
        return functional.conv2d(input, weight, self.bias, self.stride, self.padding)


class ScaledLeakyReLU(nn.LeakyReLU):
    """sqrt(2) * LeakyReLU with the slope 0.2 below 0, which keeps the second moment of most inputs."""

    def __init__(self) -> None:
        super().__init__(0.2)

    def forward(self, input: Float[Tensor, "batch *features"]) -> Float[Tensor, "batch *features"]:
        return super().forward(input) * math.sqrt(2)


class SecondMomentNorm(nn.Module):
    """x / sqrt(mean of x^2 + 1e-8), so that the mean of the squares of each sample is 1."""

    def forward(self, x: Float[Tensor, "batch features"]) -> Float[Tensor, "batch features"]:
        return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()
