"""Deep convolutional generator and discriminator: Radford et al. 2015 (arXiv:1511.06434), section 3."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor, nn

from gan_lightning.networks.attention import SelfAttention, attended_map
from gan_lightning.networks.conditioning import ConditionalDiscriminator, Join, LatentConcat
from gan_lightning.networks.minibatch import MinibatchDiscrimination, MinibatchStd
from gan_lightning.networks.sizes import count_downsamples, doubling_channels, downsampled_size
from gan_lightning.specs import Described


class DCGANGenerator(Described, nn.Module):
    """[latent, condition] -> Linear -> transposed convolutions with batch norm -> image, tanh at the end.

    The stages have strides s_1 ... s_n, so that the first feature map is smaller than the image by their product.

    Args:
        latent_dim: The width of z.
        image_shape: (channels, height, width) of an image; height and width are multiples of the strides' product.
        channels: The channels that enter each stage; the last stage gives the image. None: `base_channels` decides.
        strides: The strides of the stages. None: 2 for each of `channels`, or else as often as the size can be halved.
        kernel_size: The height and width of the kernels.
        base_channels: The channels that enter the last stage; they double towards the small maps, up to
            8 * base_channels.
        negative_slope: The slope of LeakyReLU below 0; 0 makes it a ReLU.
        condition_dim: The width of the condition; 0: the network is unconditional.
        label_embedding_dim: The width to which the condition is embedded before it joins z; 0: it is not embedded.
        attention: The height of the map, before a stage, at which self-attention stands; None: there is none.

    Raises:
        ValueError: The sizes do not fit.
    """

    def __init__(
        self,
        latent_dim: int,
        image_shape: Sequence[int],
        channels: Sequence[int] | None = None,
        strides: Sequence[int] | None = None,
        kernel_size: int = 4,
        base_channels: int = 32,
        negative_slope: float = 0.0,
        condition_dim: int = 0,
        label_embedding_dim: int = 0,
        attention: int | None = None,
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.concat = LatentConcat(latent_dim, condition_dim, label_embedding_dim)
        strides = strides or [2] * (len(channels) if channels else count_downsamples(image_shape))
        channels = channels or doubling_channels(base_channels, len(strides))[::-1]
        size = _smallest(image_shape, strides, channels, kernel_size)
        heights = [size[0] * math.prod(strides[:count]) for count in range(len(strides))]
        attended = attended_map(attention, heights, "generator")
        layers: list[nn.Module] = [
            nn.Linear(self.concat.out_dim, channels[0] * math.prod(size), bias=False),
            nn.Unflatten(1, (channels[0], *size)),
        ]
        for index, (in_channels, out_channels, stride) in enumerate(
            zip(channels, [*channels[1:], image_shape[0]], strides, strict=True)
        ):
            padding = -(-(kernel_size - stride) // 2)  # with output_padding, the size is multiplied by stride exactly
            layers += [
                nn.BatchNorm2d(in_channels),
                nn.LeakyReLU(negative_slope, inplace=True),
                *([SelfAttention(in_channels)] if index == attended else []),
                nn.ConvTranspose2d(
                    in_channels,
                    out_channels,
                    kernel_size,
                    stride,
                    padding,
                    2 * padding - kernel_size + stride,
                    bias=False,
                ),
            ]
        self.layers = nn.Sequential(*layers, nn.Tanh())
        self.apply(_initialize)

    def forward(
        self, z: Float[Tensor, "batch latent"], condition: Float[Tensor, "batch condition"] | None = None
    ) -> Float[Tensor, "batch channels height width"]:
        return self.layers(self.concat(z, condition))


class DCGANDiscriminator(ConditionalDiscriminator):
    """image -> strided convolutions -> logit, LeakyReLU between.

    Args:
        image_shape: (channels, height, width) of an image.
        channels: The channels that each convolution gives. None: `base_channels` decides.
        strides: The strides of the convolutions. None: 2 for each of `channels`, or else as often as the size can be
            halved.
        kernel_size: The height and width of the kernels.
        base_channels: The channels that the first convolution gives; they double towards the small maps, up to
            8 * base_channels.
        negative_slope: The slope of LeakyReLU below 0.
        batch_norm: Whether batch norm follows every convolution but the first.
        dropout: The probability with which dropout after each convolution zeroes an activation.
        condition_dim: The width of the condition; 0: the network is unconditional.
        join: How the condition enters.
        minibatch_std: The layer before the last convolution; None: there is none.
        minibatch_discrimination: A function that builds the layer on the features; None: there is none.
        attention: The height of the map, after a convolution, at which self-attention stands; None: there is none.

    Raises:
        ValueError: The sizes do not fit.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        channels: Sequence[int] | None = None,
        strides: Sequence[int] | None = None,
        kernel_size: int = 4,
        base_channels: int = 32,
        negative_slope: float = 0.2,
        batch_norm: bool = False,
        dropout: float = 0.0,
        condition_dim: int = 0,
        join: Join = "projection",
        minibatch_std: MinibatchStd | None = None,
        minibatch_discrimination: Callable[[int], MinibatchDiscrimination] | None = None,
        attention: int | None = None,
    ) -> None:
        super().__init__(image_shape, condition_dim, join)
        strides = strides or [2] * (len(channels) if channels else count_downsamples(image_shape))
        channels = channels or doubling_channels(base_channels, len(strides))
        size = _smallest(image_shape, strides, channels, kernel_size)
        heights = [image_shape[1] // math.prod(strides[:count]) for count in range(1, len(strides) + 1)]
        attended = attended_map(attention, heights, "discriminator")
        layers: list[nn.Module] = []
        for index, (in_channels, out_channels, stride) in enumerate(
            zip([self.concat.shape[0], *channels[:-1]], channels, strides, strict=True)
        ):
            if minibatch_std is not None and index == len(channels) - 1:
                layers.append(minibatch_std)
                in_channels += minibatch_std.num_channels
            layers.append(nn.Conv2d(in_channels, out_channels, kernel_size, stride, (kernel_size - 1) // 2))
            if batch_norm and index > 0:
                layers.append(nn.BatchNorm2d(out_channels))
            layers.append(nn.LeakyReLU(negative_slope, inplace=True))
            if dropout:
                layers.append(nn.Dropout(dropout))
            if index == attended:
                layers.append(SelfAttention(out_channels))
        self.set_body(nn.Sequential(*layers, nn.Flatten()), channels[-1] * math.prod(size), minibatch_discrimination)
        self.apply(_initialize)


def _smallest(
    image_shape: Sequence[int], strides: Sequence[int], channels: Sequence[int], kernel_size: int
) -> tuple[int, int]:
    """The size of the smallest feature map."""
    if any((kernel_size - stride) % 2 and stride % 2 for stride in strides):
        raise ValueError(
            f"network.*.kernel_size={kernel_size}: expected an odd one where a stride is odd, {list(strides)}"
        )
    if len(strides) != len(channels):
        raise ValueError(f"network.*.strides={list(strides)}: expected one for each of channels={list(channels)}")
    return downsampled_size(image_shape, math.prod(strides), "network.*.strides", list(strides))


def _initialize(layer: nn.Module) -> None:
    """Weights N(0, 0.02), batch-norm scales N(1, 0.02), biases 0: section 4."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)
    else:
        return
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
