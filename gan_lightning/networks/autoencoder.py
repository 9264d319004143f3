"""A discriminator that judges by reconstruction: BEGAN, Berthelot et al. 2017 (arXiv:1703.10717), section 3.5.1."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from gan_lightning.networks.conditioning import LabelPlane


class AutoencoderDiscriminator(nn.Module):
    """logit = -mean |x - Dec(Enc(x))|: the worse a sample is reconstructed, the less real it is.

    Fully connected, ELU between, tanh at the end. Logits are 0 at most.

    Args:
        image_shape: (channels, height, width) of a sample.
        hidden: widths of the encoder's layers; the decoder has them in reverse.
        code: width between the two.
        condition_dim: width of the condition, which enters as one more channel; 0: unconditional.
    """

    def __init__(
        self, image_shape: Sequence[int], hidden: Sequence[int] = (256,), code: int = 64, condition_dim: int = 0
    ) -> None:
        super().__init__()
        self.plane = LabelPlane(image_shape, condition_dim)
        self.encoder = _stack([math.prod(self.plane.shape), *hidden, code])
        self.decoder = _stack([code, *reversed(hidden), math.prod(image_shape)])

    def reconstruct(
        self, image: Float[Tensor, "batch *sample"], condition: Float[Tensor, "batch condition"] | None = None
    ) -> Float[Tensor, "batch *sample"]:
        """What the autoencoder makes of an image."""
        return self.decoder(self.encoder(self.plane(image, condition).flatten(1))).tanh().view_as(image)

    def forward(
        self, image: Float[Tensor, "batch *sample"], condition: Float[Tensor, "batch condition"] | None = None
    ) -> Float[Tensor, " batch"]:
        return -(image - self.reconstruct(image, condition)).abs().flatten(1).mean(1)


def _stack(widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width_in, width_out in itertools.pairwise(widths):
        layers += [nn.Linear(width_in, width_out), nn.ELU(inplace=True)]
    return nn.Sequential(*layers[:-1])
