"""Discriminators that are autoencoders, for BEGAN: the base class, and a fully connected one for any samples."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from gan_lightning.networks.conditioning import ChannelConcat
from gan_lightning.specs import Described


class ReconstructingDiscriminator(Described, nn.Module):
    """logit = -mean |x - Dec(Enc(x))|: the worse a sample is reconstructed, the less real it is. Logits are 0 at most.

    Berthelot et al. 2017 (arXiv:1703.10717), eq. 1 with eta = 1.

    Args:
        concat: It joins the condition to the sample, as one more channel.
        encoder: It maps the joined sample to a code.
        decoder: It maps a code to a sample.
    """

    def __init__(self, concat: ChannelConcat, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.concat = concat
        self.encoder = encoder
        self.decoder = decoder

    def reconstruct(
        self, sample: Float[Tensor, "batch *sample"], condition: Float[Tensor, "batch condition"] | None = None
    ) -> Float[Tensor, "batch *sample"]:
        """The output of the autoencoder."""
        return self.decoder(self.encoder(self.concat(sample, condition)))

    def forward(
        self, sample: Float[Tensor, "batch *sample"], condition: Float[Tensor, "batch condition"] | None = None
    ) -> Float[Tensor, " batch"]:
        return -(sample - self.reconstruct(sample, condition)).abs().flatten(1).mean(1)


class AutoencoderDiscriminator(ReconstructingDiscriminator):
    """A fully connected autoencoder: ELU follows every layer but the last of each half; tanh follows the decoder.

    Args:
        image_shape: The shape of a sample, such as (channels, height, width).
        hidden_dims: The widths of the encoder's layers; the decoder has them in reverse.
        code_dim: The width of the code.
        condition_dim: The width of the condition, which enters as one more channel; 0: the network is unconditional.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        hidden_dims: Sequence[int] = (256,),
        code_dim: int = 64,
        condition_dim: int = 0,
    ) -> None:
        concat = ChannelConcat(image_shape, condition_dim)
        encoder = [nn.Flatten(), *_stack([math.prod(concat.shape), *hidden_dims, code_dim])]
        decoder = [
            *_stack([code_dim, *reversed(hidden_dims), math.prod(image_shape)]),
            nn.Tanh(),
            nn.Unflatten(1, tuple(image_shape)),
        ]
        super().__init__(concat, nn.Sequential(*encoder), nn.Sequential(*decoder))


def _stack(dims: Sequence[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for in_dim, out_dim in itertools.pairwise(dims):
        layers += [nn.Linear(in_dim, out_dim), nn.ELU(inplace=True)]
    return layers[:-1]
