"""Residual generator and discriminator of BigGAN: Brock et al. 2019 (arXiv:1809.11096), appendix B.

They are SNGAN's with hierarchical latents, a shared embedding of the classes, self-attention, a wider first convolution
in D's blocks and orthogonal weights at the start.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gan_lightning.networks.conditioning import LabelEmbedding
from gan_lightning.networks.resnet import ResNetDiscriminator, ResNetGenerator
from gan_lightning.networks.sizes import count_downsamples


class BigGANBatchNorm(nn.Module):
    """Batch norm whose scale and shift are linear maps of the condition, without biases.

        y = (x - mean) / sqrt(var + eps) * (1 + V condition) + W condition

    `ConditionalBatchNorm` has V and W in one layer. They are two here, because spectral normalization divides each by
    its own largest singular value.

    Args:
        channels: The channels of the feature map.
        condition_dim: The width of the condition.
    """

    def __init__(self, channels: int, condition_dim: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.scale = nn.Linear(condition_dim, channels, bias=False)
        self.shift = nn.Linear(condition_dim, channels, bias=False)

    def forward(
        self, x: Float[Tensor, "batch channels height width"], condition: Float[Tensor, "batch condition"]
    ) -> Float[Tensor, "batch channels height width"]:
        scale, shift = (layer(condition)[:, :, None, None] for layer in (self.scale, self.shift))
        return self.norm(x) * (1 + scale) + shift


class BigGANGenerator(ResNetGenerator):
    """z_0 -> Linear -> residual blocks, of which the i-th gets [W condition, z_i] -> norm -> ReLU -> 3x3 -> tanh.

    z is cut into as many chunks as there are blocks, and one more, z_0, which gets the rest of an uneven division.

    Args:
        latent_dim: The width of z.
        image_shape: (channels, height, width) of an image.
        base_channels: The channels of the last block; they double towards the small maps, up to 8 * base_channels.
        channels: The channels of each block, instead; the image is 2 ** len(channels) times the first map.
        condition_dim: The width of the condition; 0: the network is unconditional, and the blocks get z_i alone.
        label_embedding_dim: The width of W condition, which all blocks share; 0: they get the condition as it is.
        attention: The height of the map, after a block, at which self-attention stands; None: there is none.

    Raises:
        ValueError: The sizes do not fit.
    """

    norm = BigGANBatchNorm

    def __init__(
        self,
        latent_dim: int,
        image_shape: Sequence[int],
        base_channels: int = 16,
        channels: Sequence[int] | None = None,
        condition_dim: int = 0,
        label_embedding_dim: int = 128,
        attention: int | None = None,
    ) -> None:
        blocks = len(channels) if channels else count_downsamples(image_shape)
        chunk = latent_dim // (blocks + 1)
        if chunk == 0:
            raise ValueError(
                f"network.generator.latent_dim={latent_dim}: expected at least {blocks + 1}, a number for the first "
                f"layer and for each of {blocks} blocks"
            )
        first, embedded = latent_dim - blocks * chunk, condition_dim > 0 and label_embedding_dim > 0
        width = chunk + (label_embedding_dim if embedded else condition_dim)
        super().__init__(first, image_shape, base_channels, channels, width, attention)
        self.latent_dim = latent_dim
        self.chunks = [first] + blocks * [chunk]
        self.embedding = LabelEmbedding(condition_dim, label_embedding_dim) if embedded else nn.Identity()
        self.apply(_initialize)

    def forward(
        self, z: Float[Tensor, "batch latent"], condition: Float[Tensor, "batch condition"] | None = None
    ) -> Float[Tensor, "batch channels height width"]:
        first, *chunks = z.split(self.chunks, 1)
        shared = [] if condition is None else [self.embedding(condition)]
        return self.from_chunks(first, [torch.cat([*shared, chunk], 1) for chunk in chunks])


class BigGANDiscriminator(ResNetDiscriminator):
    """image -> residual blocks with self-attention -> ReLU -> sum over positions -> logit, of orthogonal weights.

    Args:
        image_shape: (channels, height, width) of an image.
        resnet: Further arguments, of `ResNetDiscriminator`.

    Raises:
        ValueError: The sizes do not fit.
    """

    wide = True

    def __init__(self, image_shape: Sequence[int], **resnet: Any) -> None:
        super().__init__(image_shape, **resnet)
        self.apply(_initialize)


def _initialize(layer: nn.Module) -> None:
    """Orthogonal weights: Saxe et al. 2014 (arXiv:1312.6120); biases 0."""
    if isinstance(layer, nn.Conv2d | nn.Linear):
        nn.init.orthogonal_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
