"""Residual generator and discriminator of SNGAN: Miyato et al. 2018 (arXiv:1802.05957), appendix B.

The class enters as in Miyato & Koyama 2018 (arXiv:1802.05637): G has conditional batch norm, D a projection.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from gan_lightning.networks.attention import SelfAttention, attended_map
from gan_lightning.networks.conditioning import ConditionalBatchNorm, ConditionalDiscriminator, Join
from gan_lightning.networks.minibatch import MinibatchDiscrimination, MinibatchStd
from gan_lightning.networks.sizes import count_downsamples, doubling_channels, downsampled_size
from gan_lightning.specs import Described


class GeneratorBlock(nn.Module):
    """norm -> ReLU -> double the size -> 3x3 -> norm -> ReLU -> 3x3, added to 1x1 -> double the size.

    Args:
        in_channels: The channels that enter.
        out_channels: The channels that leave.
        condition_dim: The width of the condition, on which batch norm depends; 0: the block is unconditional.
        norm: The class of the batch norm.
    """

    def __init__(
        self, in_channels: int, out_channels: int, condition_dim: int, norm: type[nn.Module] = ConditionalBatchNorm
    ) -> None:
        super().__init__()
        self.first_norm = norm(in_channels, condition_dim)
        self.first = nn.Sequential(nn.ReLU(), nn.Upsample(scale_factor=2), _conv(in_channels, out_channels))
        self.second_norm = norm(out_channels, condition_dim)
        self.second = nn.Sequential(nn.ReLU(), _conv(out_channels, out_channels))
        # The paper doubles first. Copies of a pixel are mapped alike: a quarter of the work gives the same.
        self.shortcut = nn.Sequential(_conv(in_channels, out_channels, kernel_size=1), nn.Upsample(scale_factor=2))

    def forward(
        self, x: Float[Tensor, "batch in height width"], condition: Float[Tensor, "batch condition"] | None
    ) -> Float[Tensor, "batch out doubled_height doubled_width"]:
        residual = self.first(self.first_norm(x, condition))
        return self.second(self.second_norm(residual, condition)) + self.shortcut(x)


class ResNetGenerator(Described, nn.Module):
    """z -> Linear -> residual blocks, each doubling the size -> norm -> ReLU -> 3x3 -> image, tanh at the end.

    Args:
        latent_dim: The width of z.
        image_shape: (channels, height, width) of an image.
        base_channels: The channels of the last block; they double towards the small maps, up to 8 * base_channels.
        channels: The channels of each block, instead; the image is 2 ** len(channels) times the first map.
        condition_dim: The width of the condition; 0: the network is unconditional.
        attention: The height of the map, after a block, at which self-attention stands; None: there is none.

    Raises:
        ValueError: The sizes do not fit.
    """

    norm: ClassVar[type[nn.Module]] = ConditionalBatchNorm

    def __init__(
        self,
        latent_dim: int,
        image_shape: Sequence[int],
        base_channels: int = 16,
        channels: Sequence[int] | None = None,
        condition_dim: int = 0,
        attention: int | None = None,
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        channels = channels or doubling_channels(base_channels, count_downsamples(image_shape))[::-1]
        size = downsampled_size(image_shape, 2 ** len(channels), "network.generator.channels", list(channels))
        self.first = nn.Sequential(
            nn.Linear(latent_dim, channels[0] * math.prod(size)), nn.Unflatten(1, (channels[0], *size))
        )
        self.blocks = nn.ModuleList(
            GeneratorBlock(in_channels, out_channels, condition_dim, self.norm)
            for in_channels, out_channels in zip([channels[0], *channels[:-1]], channels, strict=True)
        )
        self.attended = attended_map(
            attention, [size[0] << count for count in range(1, len(channels) + 1)], "generator"
        )
        self.attention = None if self.attended is None else SelfAttention(channels[self.attended])
        self.last = nn.Sequential(
            nn.BatchNorm2d(channels[-1]), nn.ReLU(), _conv(channels[-1], image_shape[0]), nn.Tanh()
        )
        _initialize(self.first, self.last)

    def forward(
        self, z: Float[Tensor, "batch latent"], condition: Float[Tensor, "batch condition"] | None = None
    ) -> Float[Tensor, "batch channels height width"]:
        return self.from_chunks(z, [condition] * len(self.blocks))

    def from_chunks(
        self, z: Float[Tensor, "batch first"], conditions: Sequence[Float[Tensor, "batch condition"] | None]
    ) -> Float[Tensor, "batch channels height width"]:
        """The images of what enters the first layer and, one by one, the blocks."""
        x = self.first(z)
        for index, (block, condition) in enumerate(zip(self.blocks, conditions, strict=True)):
            x = block(x, condition)
            if self.attention is not None and index == self.attended:
                x = self.attention(x)
        return self.last(x)


class DiscriminatorBlock(nn.Module):
    """ReLU -> 3x3 -> ReLU -> 3x3 -> halve the size, added to halve the size -> 1x1.

    Args:
        in_channels: The channels that enter.
        out_channels: The channels that leave.
        halve: Whether the size is halved; where it is not and the channels stay, the shortcut is the identity.
        first: Whether the input is the image, which no ReLU may cut.
        wide: Whether the first convolution gives `out_channels` already; that of the image does.
    """

    def __init__(
        self, in_channels: int, out_channels: int, halve: bool, first: bool = False, wide: bool = False
    ) -> None:
        super().__init__()
        inner = out_channels if first or wide else in_channels
        pool = [nn.AvgPool2d(2)] if halve else []
        residual = [_conv(in_channels, inner), nn.ReLU(), _conv(inner, out_channels), *pool]
        self.residual = nn.Sequential(*([] if first else [nn.ReLU()]), *residual)
        mapped = halve or in_channels != out_channels
        self.shortcut = nn.Sequential(*pool, *([_conv(in_channels, out_channels, kernel_size=1)] if mapped else []))

    def forward(self, x: Float[Tensor, "batch in height width"]) -> Float[Tensor, "batch out ..."]:
        return self.residual(x) + self.shortcut(x)


class SumPooling(nn.Module):
    """The sum over all positions of a feature map."""

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels"]:
        return x.sum((2, 3))


class ResNetDiscriminator(ConditionalDiscriminator):
    """image -> residual blocks -> ReLU -> sum over positions -> logit.

    Args:
        image_shape: (channels, height, width) of an image.
        base_channels: The channels of the first block; they double towards the small maps, up to 8 * base_channels.
        channels: The channels of each block, instead. None: there is a block for every halving, and one more.
        num_downsamples: How many blocks, the first ones, halve the size. None: as many as the size allows.
        condition_dim: The width of the condition; 0: the network is unconditional.
        join: How the condition enters.
        minibatch_std: The layer before the last block; None: there is none.
        minibatch_discrimination: A function that builds the layer on the features; None: there is none.
        attention: The height of the map, after a block, at which self-attention stands; None: there is none.

    Raises:
        ValueError: The sizes do not fit.
    """

    wide: ClassVar[bool] = False

    def __init__(
        self,
        image_shape: Sequence[int],
        base_channels: int = 16,
        channels: Sequence[int] | None = None,
        num_downsamples: int | None = None,
        condition_dim: int = 0,
        join: Join = "projection",
        minibatch_std: MinibatchStd | None = None,
        minibatch_discrimination: Callable[[int], MinibatchDiscrimination] | None = None,
        attention: int | None = None,
    ) -> None:
        super().__init__(image_shape, condition_dim, join)
        num_downsamples = count_downsamples(image_shape) if num_downsamples is None else num_downsamples
        downsampled_size(image_shape, 2**num_downsamples, "network.discriminator.num_downsamples", num_downsamples)
        channels = channels or [
            *doubling_channels(base_channels, num_downsamples),
            doubling_channels(base_channels, max(num_downsamples, 1))[-1],
        ]
        if len(channels) < num_downsamples:
            raise ValueError(
                f"network.discriminator.channels={list(channels)}: expected at least {num_downsamples}, one for each "
                f"block that halves the size. Change it or network.discriminator.num_downsamples={num_downsamples}"
            )
        widths = [self.concat.shape[0], *channels[:-1]]
        if minibatch_std is not None:
            widths[-1] += minibatch_std.num_channels
        blocks: list[nn.Module] = [
            DiscriminatorBlock(in_channels, out_channels, index < num_downsamples, first=index == 0, wide=self.wide)
            for index, (in_channels, out_channels) in enumerate(zip(widths, channels, strict=True))
        ]
        heights = [image_shape[1] >> min(count, num_downsamples) for count in range(1, len(channels) + 1)]
        attended = attended_map(attention, heights, "discriminator")
        if minibatch_std is not None:
            blocks.insert(-1, minibatch_std)
        if attended is not None:
            blocks.insert(attended + 1, SelfAttention(channels[attended]))
        self.set_body(nn.Sequential(*blocks, nn.ReLU(), SumPooling()), channels[-1], minibatch_discrimination)
        _initialize(self.head)


def _conv(in_channels: int, out_channels: int, kernel_size: int = 3) -> nn.Conv2d:
    """A convolution that keeps the size; Glorot uniform, those of the residual branch with gain sqrt(2)."""
    layer = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2)
    nn.init.xavier_uniform_(layer.weight, gain=math.sqrt(2) if kernel_size > 1 else 1.0)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def _initialize(*parts: nn.Module) -> None:
    """The first and last layers, which are no residual branch: Glorot uniform."""
    for part in parts:
        for layer in part.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
