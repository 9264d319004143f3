"""BEGAN's convolutional networks: Berthelot et al. 2017 (arXiv:1703.10717), section 3.5.1, figure 1."""

from __future__ import annotations

import math
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from gan_lightning.networks.autoencoder import ReconstructingDiscriminator
from gan_lightning.networks.conditioning import JoinLatent, LabelPlane
from gan_lightning.networks.sizes import count_halvings, doubled, shrunk


class BEGANGenerator(nn.Module):
    """[latent, condition] -> Linear -> stages of doubling and 3x3 convolution -> image; ELU between, tanh at the end.

    No normalisation. The paper has two convolutions a stage and the same width in all of them; here it doubles
    towards the small maps, as in the other families.

    Args:
        latent_dim: width of z.
        image_shape: (channels, height, width).
        width: channels of the largest map; they double towards the small ones, up to 8 * width.
        condition_dim: width of the condition; 0: unconditional.
        label_width: what the condition is embedded to before it joins z; 0: it is not.

    Raises:
        ValueError: the sizes do not fit.
    """

    def __init__(
        self,
        latent_dim: int,
        image_shape: Sequence[int],
        width: int = 16,
        condition_dim: int = 0,
        label_width: int = 0,
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.join = JoinLatent(latent_dim, condition_dim, label_width)
        self.layers = _decoder(self.join.width, image_shape, width)

    def forward(
        self, z: Float[Tensor, "batch latent"], condition: Float[Tensor, "batch condition"] | None = None
    ) -> Float[Tensor, "batch channels height width"]:
        return self.layers(self.join(z, condition))


class BEGANDiscriminator(ReconstructingDiscriminator):
    """Strided convolutions to a code, and the generator's architecture back: its logit is minus the error.

    Args:
        image_shape: (channels, height, width).
        width: channels of the largest map; they double towards the small ones, up to 8 * width.
        code: width of the code.
        condition_dim: width of the condition, which enters as one more channel; 0: unconditional.

    Raises:
        ValueError: the sizes do not fit.
    """

    def __init__(self, image_shape: Sequence[int], width: int = 16, code: int = 64, condition_dim: int = 0) -> None:
        plane = LabelPlane(image_shape, condition_dim)
        widths = doubled(width, count_halvings(image_shape))
        layers: list[nn.Module] = []
        for width_in, width_out in zip([plane.shape[0], *widths[:-1]], widths, strict=True):
            layers += [nn.Conv2d(width_in, width_out, 3, stride=2, padding=1), nn.ELU(inplace=True)]
        features = widths[-1] * math.prod(_smallest(image_shape, widths))
        encoder = nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, code))
        super().__init__(plane, encoder, _decoder(code, image_shape, width))


def _decoder(width_in: int, image_shape: Sequence[int], width: int) -> nn.Sequential:
    widths = doubled(width, count_halvings(image_shape))[::-1]
    size = _smallest(image_shape, widths)
    layers: list[nn.Module] = [nn.Linear(width_in, widths[0] * math.prod(size)), nn.Unflatten(1, (widths[0], *size))]
    for before, after in zip(widths, [*widths[1:], widths[-1]], strict=True):
        layers += [nn.ELU(), nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 3, padding=1)]
    return nn.Sequential(*layers, nn.ELU(), nn.Conv2d(widths[-1], image_shape[0], 3, padding=1), nn.Tanh())


def _smallest(image_shape: Sequence[int], widths: Sequence[int]) -> tuple[int, int]:
    return shrunk(image_shape, 2 ** len(widths), "network.*.width", list(widths))
