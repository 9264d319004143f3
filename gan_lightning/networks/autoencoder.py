"""Discriminators that judge by reconstruction, for BEGAN: one for any samples, which is fully connected."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from gan_lightning.networks.conditioning import LabelPlane


class ReconstructingDiscriminator(nn.Module):
    """logit = -mean |x - Dec(Enc(x))|: the worse a sample is reconstructed, the less real it is. Logits are 0 at most.

    Berthelot et al. 2017 (arXiv:1703.10717), eq. 1 with eta = 1.

    Args:
        plane: joins the condition to the sample.
        encoder: maps what comes of it to codes.
        decoder: maps codes to samples.
    """

    def __init__(self, plane: LabelPlane, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.plane = plane
        self.encoder = encoder
        self.decoder = decoder

    def reconstruct(
        self, sample: Float[Tensor, "batch *sample"], condition: Float[Tensor, "batch condition"] | None = None
    ) -> Float[Tensor, "batch *sample"]:
        """What the autoencoder makes of a sample."""
        return self.decoder(self.encoder(self.plane(sample, condition)))

    def forward(
        self, sample: Float[Tensor, "batch *sample"], condition: Float[Tensor, "batch condition"] | None = None
    ) -> Float[Tensor, " batch"]:
        return -(sample - self.reconstruct(sample, condition)).abs().flatten(1).mean(1)


class AutoencoderDiscriminator(ReconstructingDiscriminator):
    """Fully connected, ELU between, tanh at the end.

    Args:
        image_shape: (channels, height, width) of a sample.
        hidden: widths of the encoder's layers; the decoder has them in reverse.
        code: width between the two.
        condition_dim: width of the condition, which enters as one more channel; 0: unconditional.
    """

    def __init__(
        self, image_shape: Sequence[int], hidden: Sequence[int] = (256,), code: int = 64, condition_dim: int = 0
    ) -> None:
        plane = LabelPlane(image_shape, condition_dim)
        encoder = [nn.Flatten(), *_stack([math.prod(plane.shape), *hidden, code])]
        decoder = [
            *_stack([code, *reversed(hidden), math.prod(image_shape)]),
            nn.Tanh(),
            nn.Unflatten(1, tuple(image_shape)),
        ]
        super().__init__(plane, nn.Sequential(*encoder), nn.Sequential(*decoder))


def _stack(widths: Sequence[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for width_in, width_out in itertools.pairwise(widths):
        layers += [nn.Linear(width_in, width_out), nn.ELU(inplace=True)]
    return layers[:-1]
