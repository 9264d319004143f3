"""The layers of a style-based generator: StyleGAN2, Karras et al. 2020 (arXiv:1912.04958), sections 2.2 and 3."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from gan_lightning.networks.equalized import EqualizedConv2d, EqualizedLinear, ScaledLeakyReLU, SecondMomentNorm
from gan_lightning.networks.resample import Blur, Resample

MAPPING_LR = 0.01
"""The factor of the learning rate of a mapping network."""
Map = Float[Tensor, "batch in height width"]
Style = Float[Tensor, "batch w"]


def mapping_network(in_dim: int, out_dim: int, layers: int) -> nn.Sequential:
    """Returns a fully connected network of equally wide layers, which learns at `MAPPING_LR` of the learning rate."""
    widths = [in_dim] + [out_dim] * (layers - 1)
    made = [EqualizedLinear(width, out_dim, lr_multiplier=MAPPING_LR) for width in widths]
    return nn.Sequential(*(part for layer in made for part in (layer, ScaledLeakyReLU())))


def label_embedding(condition_dim: int, out_dim: int) -> nn.Sequential:
    """Returns a linear map of the condition, normalized, which a mapping network gets."""
    return nn.Sequential(EqualizedLinear(condition_dim, out_dim), SecondMomentNorm())


class ModulatedConv2d(nn.Module):
    """A convolution whose kernel has a scale for each sample and input channel, s = A w: eqs. 1 and 3 of the paper.

        W'_jik = s_i W_jik,    W''_jik = W'_jik / sqrt(sum over i, k of W'_jik^2 + 1e-8)

    Scaling the maps before the convolution and after it is the same, without a kernel for each sample.

    Args:
        in_channels: The channels that enter.
        out_channels: The channels that leave.
        kernel_size: The height and width of the kernel.
        w_dim: The width of w.
        demodulate: Whether the kernel is W'', which keeps the variance; else it is W' / sqrt(fan in).
        double: Whether the size is doubled, by a convolution with stride 1/2 and a filter.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        w_dim: int,
        demodulate: bool = True,
        double: bool = False,
    ) -> None:
        super().__init__()
        self.affine = EqualizedLinear(w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.style_gain = 1.0 if demodulate else 1 / math.sqrt(self.weight[0].numel())
        self.demodulate = demodulate
        self.blur = Blur(padding=1, gain=4.0) if double else None

    def forward(self, x: Map, w: Style) -> Float[Tensor, "batch out new_height new_width"]:
        style = self.affine(w) * self.style_gain
        x = x * style[:, :, None, None]
        if self.blur is None:
            x = functional.conv2d(x, self.weight, padding=self.weight.shape[-1] // 2)
        else:
            x = self.blur(functional.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2))
        if not self.demodulate:
            return x
        squared_norm = style.square() @ self.weight.square().sum((2, 3)).T
        return x * (squared_norm + 1e-8).rsqrt()[:, :, None, None]


class SynthesisLayer(nn.Module):
    """modulated 3x3 -> noise, one strength for all positions -> bias -> LeakyReLU.

    In training the noise is new for each sample, from torch's default generator; in eval mode it is a constant map, so
    that a sample depends on its latents alone.

    Args:
        in_channels: The channels that enter.
        out_channels: The channels that leave.
        size: The height and width of the map that leaves.
        w_dim: The width of w.
        double: Whether the size is doubled.
        noise: Whether there is noise.
    """

    noise: Tensor | None

    def __init__(
        self, in_channels: int, out_channels: int, size: int, w_dim: int, double: bool = False, noise: bool = True
    ) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(in_channels, out_channels, 3, w_dim, double=double)
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.activation = ScaledLeakyReLU()
        self.noise_strength = nn.Parameter(torch.zeros(())) if noise else None
        self.register_buffer("noise", torch.randn(size, size) if noise else None)

    def forward(self, x: Map, w: Style) -> Float[Tensor, "batch out new_height new_width"]:
        x = self.conv(x, w)
        if self.noise is not None and self.noise_strength is not None:
            noise = (
                torch.randn(len(x), 1, *x.shape[2:], device=x.device, dtype=x.dtype) if self.training else self.noise
            )
            x = x + noise * self.noise_strength
        return self.activation(x + self.bias[:, None, None])


class SynthesisBlock(nn.Module):
    """One or two layers of the same size; the first of two doubles it.

    Args:
        in_channels: The channels that enter.
        out_channels: The channels that leave.
        size: The height and width of the map that leaves.
        w_dim: The width of w.
        double: Whether the size is doubled, and there are two layers; else there is one.
        residual: Whether a 1x1 convolution of the input, doubled, is added, and the sum divided by sqrt(2).
        noise: Whether the layers have noise.
    """

    def __init__(
        self, in_channels: int, out_channels: int, size: int, w_dim: int, double: bool, residual: bool, noise: bool
    ) -> None:
        super().__init__()
        first = [SynthesisLayer(in_channels, out_channels, size, w_dim, double=True, noise=noise)] if double else []
        self.layers = nn.ModuleList([*first, SynthesisLayer(out_channels, out_channels, size, w_dim, noise=noise)])
        shortcut = (EqualizedConv2d(in_channels, out_channels, 1, bias=False), Resample(up=True))
        self.shortcut = nn.Sequential(*shortcut) if residual and double else None

    def forward(self, x: Map, ws: Sequence[Style]) -> Float[Tensor, "batch out new_height new_width"]:
        y = x
        for layer, w in zip(self.layers, ws, strict=True):
            y = layer(y, w)
        return y if self.shortcut is None else (self.shortcut(x) + y) / math.sqrt(2)


class ToImage(nn.Module):
    """A map -> an image, by a modulated 1x1 convolution without demodulation.

    Args:
        in_channels: The channels of the map.
        image_channels: The channels of the image.
        w_dim: The width of w.
    """

    def __init__(self, in_channels: int, image_channels: int, w_dim: int) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(in_channels, image_channels, 1, w_dim, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(image_channels))

    def forward(self, x: Map, w: Style) -> Float[Tensor, "batch channels height width"]:
        return self.conv(x, w) + self.bias[:, None, None]
