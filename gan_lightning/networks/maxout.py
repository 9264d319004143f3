"""Fully connected networks with a maxout discriminator: Goodfellow et al. 2014 (arXiv:1406.2661), for any samples.

Those of the synthetic experiments of PacGAN, Lin et al. 2018 (arXiv:1712.04086), after Dumoulin et al. 2017.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from gan_lightning.networks.conditioning import ConditionalDiscriminator, Join, LatentConcat
from gan_lightning.specs import Described


class Maxout(nn.Module):
    """y_i = max over j of (W x + b)_ij, j = 1 ... pieces: Goodfellow et al. 2013 (arXiv:1302.4389), eq. 2.

    Args:
        in_dim: The width of x.
        out_dim: The width of y.
        pieces: The number of linear maps for each output.
    """

    def __init__(self, in_dim: int, out_dim: int, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces
        self.linear = nn.Linear(in_dim, out_dim * pieces)

    def forward(self, x: Float[Tensor, "batch in"]) -> Float[Tensor, "batch out"]:
        return self.linear(x).unflatten(1, (self.pieces, -1)).max(1).values


class MaxoutGenerator(Described, nn.Module):
    """[latent, condition] -> hidden_dims[0] -> ... -> sample, with batch norm and ReLU between.

    Args:
        latent_dim: The width of z.
        image_shape: The shape of a sample, such as (channels, height, width).
        hidden_dims: The widths of the hidden layers.
        std: The standard deviation of the initial weights, whose mean is 0.
        bounded: Whether tanh follows the last layer; False: nothing bounds the samples.
        condition_dim: The width of the condition; 0: the network is unconditional.
        label_embedding_dim: The width to which the condition is embedded before it joins z; 0: it is not embedded.
    """

    def __init__(
        self,
        latent_dim: int,
        image_shape: Sequence[int],
        hidden_dims: Sequence[int] = (400, 400, 400, 400),
        std: float = 0.02,
        bounded: bool = True,
        condition_dim: int = 0,
        label_embedding_dim: int = 0,
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.concat = LatentConcat(latent_dim, condition_dim, label_embedding_dim)
        layers: list[nn.Module] = []
        for in_dim, out_dim in zip([self.concat.out_dim, *hidden_dims], hidden_dims, strict=False):
            norm = nn.BatchNorm1d(out_dim, eps=1e-4, momentum=0.05)
            layers += [nn.Linear(in_dim, out_dim, bias=False), norm, nn.ReLU(inplace=True)]
        layers += [nn.Linear(hidden_dims[-1], math.prod(image_shape)), nn.Unflatten(1, tuple(image_shape))]
        self.layers = nn.Sequential(*layers, *([nn.Tanh()] if bounded else []))
        _initialize(self, std)

    def forward(
        self, z: Float[Tensor, "batch latent"], condition: Float[Tensor, "batch condition"] | None = None
    ) -> Float[Tensor, "batch *sample"]:
        return self.layers(self.concat(z, condition))


class MaxoutDiscriminator(ConditionalDiscriminator):
    """sample -> maxout layers -> logit.

    Args:
        image_shape: The shape of a sample.
        hidden_dims: The widths of the hidden layers.
        pieces: The number of linear maps, of which the largest counts, for each number of a hidden layer.
        std: The standard deviation of the initial weights, whose mean is 0.
        condition_dim: The width of the condition; 0: the network is unconditional.
        join: How the condition enters.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        hidden_dims: Sequence[int] = (200, 200, 200),
        pieces: int = 5,
        std: float = 0.02,
        condition_dim: int = 0,
        join: Join = "projection",
    ) -> None:
        super().__init__(image_shape, condition_dim, join)
        dims = [math.prod(self.concat.shape), *hidden_dims]
        layers = [Maxout(in_dim, out_dim, pieces) for in_dim, out_dim in zip(dims, hidden_dims, strict=False)]
        self.set_body(nn.Sequential(nn.Flatten(), *layers), hidden_dims[-1])
        _initialize(self, std)


def _initialize(network: nn.Module, std: float) -> None:
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=std)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
