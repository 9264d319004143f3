"""BEGAN's convolutional networks: Berthelot et al. 2017 (arXiv:1703.10717), section 3.5.1, figure 1."""

from __future__ import annotations

import math
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from gan_lightning.networks.autoencoder import ReconstructingDiscriminator
from gan_lightning.networks.conditioning import ChannelConcat, LatentConcat
from gan_lightning.networks.sizes import count_downsamples, doubling_channels, downsampled_size
from gan_lightning.specs import Described


class BEGANGenerator(Described, nn.Module):
    """[latent, condition] -> Linear -> stages of doubling and 3x3 convolution -> image; ELU between, tanh at the end.

    No normalization. The paper has two convolutions a stage and the same width in all of them; here it doubles
    towards the small maps, as in the other families.

    Args:
        latent_dim: The width of z.
        image_shape: (channels, height, width) of an image.
        base_channels: The channels of the largest map; they double towards the small ones, up to 8 * base_channels.
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
        condition_dim: int = 0,
        label_embedding_dim: int = 0,
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.concat = LatentConcat(latent_dim, condition_dim, label_embedding_dim)
        self.layers = _decoder(self.concat.out_dim, image_shape, base_channels)

    def forward(
        self, z: Float[Tensor, "batch latent"], condition: Float[Tensor, "batch condition"] | None = None
    ) -> Float[Tensor, "batch channels height width"]:
        return self.layers(self.concat(z, condition))


class BEGANDiscriminator(ReconstructingDiscriminator):
    """Strided convolutions encode to a code; the generator's architecture decodes it. The logit is minus the error.

    Args:
        image_shape: (channels, height, width) of an image.
        base_channels: The channels of the largest map; they double towards the small ones, up to 8 * base_channels.
        code_dim: The width of the code.
        condition_dim: The width of the condition, which enters as one more channel; 0: the network is unconditional.

    Raises:
        ValueError: The sizes do not fit.
    """

    def __init__(
        self, image_shape: Sequence[int], base_channels: int = 16, code_dim: int = 64, condition_dim: int = 0
    ) -> None:
        concat = ChannelConcat(image_shape, condition_dim)
        channels = doubling_channels(base_channels, count_downsamples(image_shape))
        layers: list[nn.Module] = []
        for in_channels, out_channels in zip([concat.shape[0], *channels[:-1]], channels, strict=True):
            layers += [nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1), nn.ELU(inplace=True)]
        features = channels[-1] * math.prod(_smallest(image_shape, channels))
        encoder = nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, code_dim))
        super().__init__(concat, encoder, _decoder(code_dim, image_shape, base_channels))


def _decoder(in_channels: int, image_shape: Sequence[int], base_channels: int) -> nn.Sequential:
    channels = doubling_channels(base_channels, count_downsamples(image_shape))[::-1]
    size = _smallest(image_shape, channels)
    layers: list[nn.Module] = [
        nn.Linear(in_channels, channels[0] * math.prod(size)),
        nn.Unflatten(1, (channels[0], *size)),
    ]
    for before, after in zip(channels, [*channels[1:], channels[-1]], strict=True):
        layers += [nn.ELU(), nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 3, padding=1)]
    return nn.Sequential(*layers, nn.ELU(), nn.Conv2d(channels[-1], image_shape[0], 3, padding=1), nn.Tanh())


def _smallest(image_shape: Sequence[int], channels: Sequence[int]) -> tuple[int, int]:
    return downsampled_size(image_shape, 2 ** len(channels), "network.*.base_channels", list(channels))
