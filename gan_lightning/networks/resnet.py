"""Residual generator and discriminator of SNGAN: Miyato et al. 2018 (arXiv:1802.05957), appendix B.

Told classes as in Miyato & Koyama 2018 (arXiv:1802.05637): G by conditional batch norm, D by projection.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from gan_lightning.networks.conditioning import ConditionalBatchNorm, ConditionedDiscriminator, Join
from gan_lightning.networks.sizes import count_halvings, doubled, shrunk


class GeneratorBlock(nn.Module):
    """norm -> ReLU -> double the size -> 3x3 -> norm -> ReLU -> 3x3, added to 1x1 -> double the size.

    Args:
        width_in: channels that enter.
        width_out: channels that leave.
        condition_dim: width of the condition that the norms are told; 0: none.
    """

    def __init__(self, width_in: int, width_out: int, condition_dim: int) -> None:
        super().__init__()
        self.first_norm = ConditionalBatchNorm(width_in, condition_dim)
        self.first = nn.Sequential(nn.ReLU(), nn.Upsample(scale_factor=2), _conv(width_in, width_out))
        self.second_norm = ConditionalBatchNorm(width_out, condition_dim)
        self.second = nn.Sequential(nn.ReLU(), _conv(width_out, width_out))
        # The paper doubles first. Copies of a pixel are mapped alike: a quarter of the work gives the same.
        self.shortcut = nn.Sequential(_conv(width_in, width_out, kernel=1), nn.Upsample(scale_factor=2))

    def forward(
        self, x: Float[Tensor, "batch in height width"], condition: Float[Tensor, "batch condition"] | None
    ) -> Float[Tensor, "batch out doubled_height doubled_width"]:
        residual = self.first(self.first_norm(x, condition))
        return self.second(self.second_norm(residual, condition)) + self.shortcut(x)


class ResNetGenerator(nn.Module):
    """z -> Linear -> residual blocks, each doubling the size -> norm -> ReLU -> 3x3 -> image, tanh at the end.

    Args:
        latent_dim: width of z.
        image_shape: (channels, height, width).
        width: channels of the last block; those before it double towards the small maps, up to 8 * width.
        widths: channels of each block, instead; the image is 2 ** len(widths) times the first map.
        condition_dim: width of the condition; 0: unconditional.

    Raises:
        ValueError: the sizes do not fit.
    """

    def __init__(
        self,
        latent_dim: int,
        image_shape: Sequence[int],
        width: int = 32,
        widths: Sequence[int] | None = None,
        condition_dim: int = 0,
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        widths = widths or doubled(width, count_halvings(image_shape))[::-1]
        size = shrunk(image_shape, 2 ** len(widths), "network.generator.widths", list(widths))
        self.first = nn.Sequential(
            nn.Linear(latent_dim, widths[0] * math.prod(size)), nn.Unflatten(1, (widths[0], *size))
        )
        self.blocks = nn.ModuleList(
            GeneratorBlock(width_in, width_out, condition_dim)
            for width_in, width_out in zip([widths[0], *widths[:-1]], widths, strict=True)
        )
        self.last = nn.Sequential(nn.BatchNorm2d(widths[-1]), nn.ReLU(), _conv(widths[-1], image_shape[0]), nn.Tanh())
        _initialise(self.first, self.last)

    def forward(
        self, z: Float[Tensor, "batch latent"], condition: Float[Tensor, "batch condition"] | None = None
    ) -> Float[Tensor, "batch channels height width"]:
        x = self.first(z)
        for block in self.blocks:
            x = block(x, condition)
        return self.last(x)


class DiscriminatorBlock(nn.Module):
    """ReLU -> 3x3 -> ReLU -> 3x3 -> halve the size, added to halve the size -> 1x1.

    Args:
        width_in: channels that enter.
        width_out: channels that leave.
        halve: whether it halves; where it does not and the channels stay, the shortcut is the identity.
        first: whether the image enters, which no ReLU shall cut.
    """

    def __init__(self, width_in: int, width_out: int, halve: bool, first: bool = False) -> None:
        super().__init__()
        inner = width_out if first else width_in
        pool = [nn.AvgPool2d(2)] if halve else []
        residual = [_conv(width_in, inner), nn.ReLU(), _conv(inner, width_out), *pool]
        self.residual = nn.Sequential(*([] if first else [nn.ReLU()]), *residual)
        mapped = halve or width_in != width_out
        self.shortcut = nn.Sequential(*pool, *([_conv(width_in, width_out, kernel=1)] if mapped else []))

    def forward(self, x: Float[Tensor, "batch in height width"]) -> Float[Tensor, "batch out ..."]:
        return self.residual(x) + self.shortcut(x)


class SumPooling(nn.Module):
    """The sum over all positions of a feature map."""

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels"]:
        return x.sum((2, 3))


class ResNetDiscriminator(ConditionedDiscriminator):
    """image -> residual blocks -> ReLU -> sum over positions -> logit.

    Args:
        image_shape: (channels, height, width).
        width: channels of the first block; those after it double towards the small maps, up to 8 * width.
        widths: channels of each block, instead. None: one for every halving, and one more of the last width.
        halvings: how many blocks, the first ones, halve the size. None: as many as the size allows.
        condition_dim: width of the condition; 0: unconditional.
        join: how the condition enters.

    Raises:
        ValueError: the sizes do not fit.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        width: int = 32,
        widths: Sequence[int] | None = None,
        halvings: int | None = None,
        condition_dim: int = 0,
        join: Join = "projection",
    ) -> None:
        super().__init__(image_shape, condition_dim, join)
        halvings = count_halvings(image_shape) if halvings is None else halvings
        shrunk(image_shape, 2**halvings, "network.discriminator.halvings", halvings)
        widths = widths or [*doubled(width, halvings), doubled(width, max(halvings, 1))[-1]]
        if len(widths) < halvings:
            raise ValueError(
                f"network.discriminator.widths={list(widths)}: expected one for each of {halvings} halvings"
            )
        blocks = [
            DiscriminatorBlock(width_in, width_out, halve=index < halvings, first=index == 0)
            for index, (width_in, width_out) in enumerate(zip([self.plane.shape[0], *widths[:-1]], widths, strict=True))
        ]
        self.wire(nn.Sequential(*blocks, nn.ReLU(), SumPooling()), widths[-1])
        _initialise(self.head)


def _conv(width_in: int, width_out: int, kernel: int = 3) -> nn.Conv2d:
    """A convolution that keeps the size; Glorot uniform, those of the residual branch with gain sqrt(2)."""
    layer = nn.Conv2d(width_in, width_out, kernel, padding=kernel // 2)
    nn.init.xavier_uniform_(layer.weight, gain=math.sqrt(2) if kernel > 1 else 1.0)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def _initialise(*parts: nn.Module) -> None:
    """The first and last layers, which are no residual branch: Glorot uniform."""
    for part in parts:
        for layer in part.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
