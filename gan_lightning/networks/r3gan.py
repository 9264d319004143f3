"""Residual networks without normalization: R3GAN, Huang et al. 2024 (arXiv:2501.05441), section 4 and appendix."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gan_lightning.networks.conditioning import ConditionalDiscriminator, InnerProductHead, Join, LatentConcat
from gan_lightning.networks.grouped_conv import GroupedConv2d
from gan_lightning.networks.minibatch import MinibatchDiscrimination
from gan_lightning.networks.resample import Resample
from gan_lightning.networks.sizes import count_downsamples, doubling_channels, downsampled_size
from gan_lightning.specs import Described

SLOPE = 0.2
"""The slope of every LeakyReLU below 0."""


class ResidualBlock(nn.Module):
    """x + W3 a(W2 a(W1 x + b1) + b2): 1x1 to more channels, 3x3 in groups, 1x1 back; a is LeakyReLU.

    Fix-up initialization (Zhang et al. 2019, arXiv:1901.09321): W3 starts at 0, so that the block is the identity;
    W1 and W2, drawn to keep the variance, are scaled by L^(-1/4), where L counts the blocks of the network.

    Args:
        channels: The channels that enter and leave.
        expansion: How many times more channels are inside.
        group_width: The inner channels of a group; where there are fewer, they form one group.
        total: L, the number of blocks of the network.

    Raises:
        ValueError: The inner channels do not make whole groups.
    """

    def __init__(self, channels: int, expansion: int, group_width: int, total: int) -> None:
        super().__init__()
        inner = channels * expansion
        if inner > group_width and inner % group_width:
            raise ValueError(
                f"network.*.group_width={group_width}: {channels} channels times expansion={expansion} make no whole "
                f"groups; expected a divisor of {inner}. Change network.*.group_width or network.*.base_channels"
            )
        gain = nn.init.calculate_gain("leaky_relu", SLOPE) * total**-0.25
        self.layers = nn.Sequential(
            *(_conv(channels, inner, 1, gain=gain, bias=True), nn.LeakyReLU(SLOPE)),
            _conv(inner, inner, 3, groups=max(1, inner // group_width), gain=gain, bias=True),
            *(nn.LeakyReLU(SLOPE), _conv(inner, channels, 1, gain=0.0)),
        )

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels height width"]:
        return x + self.layers(x)


class InnerProducts(nn.Conv2d):
    """A depthwise convolution with kernels of the map's size: the inner product of each channel with its kernel.

    It is a product and a sum, since the second derivatives of ATen's convolution loop over the channels.
    """

    def forward(self, input: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels"]:
        return (input * self.weight[:, 0]).sum((2, 3))


class R3GANGenerator(Described, nn.Module):
    """[latent, condition] -> a learned map, its channels scaled by a linear map of them -> stages -> image.

    A stage is some residual blocks; between stages 1x1 convolutions change the channels and the size doubles. The
    paper ends with a 1x1 convolution; here tanh follows, which keeps the samples in [-1, 1].

    Args:
        latent_dim: The width of z.
        image_shape: (channels, height, width) of an image.
        base_channels: The channels of the last stage; they double towards the small maps, up to 8 * base_channels.
        channels: The channels of each stage, instead; the image is 2 ** (len(channels) - 1) times the first map.
        blocks: The number of residual blocks of a stage.
        expansion: How many times more channels are inside a block.
        group_width: The channels of a group of the 3x3 convolutions.
        condition_dim: The width of the condition; 0: the network is unconditional.
        label_embedding_dim: The width to which the condition is embedded before it joins z; 0: it is not embedded.

    Raises:
        ValueError: The sizes do not fit.
    """

    def __init__(
        self,
        latent_dim: int,
        image_shape: Sequence[int],
        base_channels: int = 16,
        channels: Sequence[int] | None = None,
        blocks: int = 1,
        expansion: int = 2,
        group_width: int = 16,
        condition_dim: int = 0,
        label_embedding_dim: int = 64,
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.concat = LatentConcat(latent_dim, condition_dim, label_embedding_dim, bias=False)
        if isinstance(self.concat.embedding, nn.Linear):
            _initialize(self.concat.embedding)
        channels = channels or doubling_channels(base_channels, count_downsamples(image_shape) + 1)[::-1]
        size = downsampled_size(image_shape, 2 ** (len(channels) - 1), "network.generator.channels", list(channels))
        self.basis = nn.Parameter(torch.randn(channels[0], *size))
        self.modulation = nn.Linear(self.concat.out_dim, channels[0], bias=False)
        _initialize(self.modulation)
        stages = [
            [ResidualBlock(width, expansion, group_width, len(channels) * blocks) for _ in range(blocks)]
            for width in channels
        ]
        layers: list[nn.Module] = [*stages[0]]
        for (in_channels, out_channels), stage in zip(itertools.pairwise(channels), stages[1:], strict=True):
            layers += [*_change(in_channels, out_channels), Resample(up=True), *stage]
        self.layers = nn.Sequential(*layers, _conv(channels[-1], image_shape[0], 1), nn.Tanh())

    def forward(
        self, z: Float[Tensor, "batch latent"], condition: Float[Tensor, "batch condition"] | None = None
    ) -> Float[Tensor, "batch channels height width"]:
        return self.layers(self.basis * self.modulation(self.concat(z, condition))[:, :, None, None])


class R3GANDiscriminator(ConditionalDiscriminator):
    """image -> stages -> inner products with a learned map, one a channel -> logit: the generator's mirror image.

    As in the authors' code, the logit has no bias, and that of the conditional network is an inner product with an
    embedding of the class.

    Args:
        image_shape: (channels, height, width) of an image.
        base_channels: The channels of the first stage; they double towards the small maps, up to 8 * base_channels.
        channels: The channels of each stage, instead; the size halves between them.
        blocks: The number of residual blocks of a stage.
        expansion: How many times more channels are inside a block.
        group_width: The channels of a group of the 3x3 convolutions.
        condition_dim: The width of the condition; 0: the network is unconditional.
        join: How the condition enters.
        minibatch_discrimination: A function that builds the layer on the features; None: there is none.

    Raises:
        ValueError: The sizes do not fit.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        base_channels: int = 16,
        channels: Sequence[int] | None = None,
        blocks: int = 1,
        expansion: int = 2,
        group_width: int = 16,
        condition_dim: int = 0,
        join: Join = "inner_product",
        minibatch_discrimination: Callable[[int], MinibatchDiscrimination] | None = None,
    ) -> None:
        super().__init__(image_shape, condition_dim, join)
        channels = channels or doubling_channels(base_channels, count_downsamples(image_shape) + 1)
        size = downsampled_size(image_shape, 2 ** (len(channels) - 1), "network.discriminator.channels", list(channels))
        stages = [
            [ResidualBlock(width, expansion, group_width, len(channels) * blocks) for _ in range(blocks)]
            for width in channels
        ]
        layers: list[nn.Module] = [_conv(self.concat.shape[0], channels[0], 1), *stages[0]]
        for (in_channels, out_channels), stage in zip(itertools.pairwise(channels), stages[1:], strict=True):
            layers += [Resample(up=False), *_change(in_channels, out_channels), *stage]
        basis = InnerProducts(channels[-1], channels[-1], size, groups=channels[-1], bias=False)
        _initialize(basis)
        self.set_body(nn.Sequential(*layers, basis), channels[-1], minibatch_discrimination, bias=False)
        _initialize(self.head.linear)
        # The embedding of a class: the authors' for the inner product, of norm 1 for the projection.
        if isinstance(self.head, InnerProductHead):
            _initialize(self.head.embedding, gain=1 / math.sqrt(self.feature_dim))
        elif self.head.projection is not None:
            nn.init.normal_(self.head.projection.weight, 0.0, 1 / math.sqrt(self.feature_dim))


def _change(in_channels: int, out_channels: int) -> Iterator[nn.Conv2d]:
    if in_channels != out_channels:
        yield _conv(in_channels, out_channels, 1)


def _conv(
    in_channels: int, out_channels: int, kernel_size: int, groups: int = 1, gain: float = 1.0, bias: bool = False
) -> nn.Conv2d:
    kind = nn.Conv2d if groups == 1 else GroupedConv2d
    layer = kind(in_channels, out_channels, kernel_size, padding=kernel_size // 2, groups=groups, bias=bias)
    _initialize(layer, gain)
    return layer


def _initialize(layer: nn.Conv2d | nn.Linear, gain: float = 1.0) -> None:
    """Weights N(0, gain^2 / fan in), which keeps the variance where gain is the nonlinearity's; biases 0."""
    nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
