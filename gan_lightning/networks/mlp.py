"""Fully connected generator and discriminator, for samples of any shape."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor, nn

from gan_lightning.networks.conditioning import ConditionalDiscriminator, Join, LatentConcat
from gan_lightning.networks.minibatch import MinibatchDiscrimination, MinibatchStd
from gan_lightning.specs import Described


class MLPGenerator(Described, nn.Module):
    """[latent, condition] -> hidden_dims[0] -> ... -> sample, LeakyReLU between, tanh at the end.

    Args:
        latent_dim: The width of z.
        image_shape: The shape of a sample, such as (channels, height, width).
        hidden_dims: The widths of the hidden layers.
        batch_norm: Whether every hidden layer but the first is batch-normalized.
        batch_norm_eps: The number that batch norm adds to the variance.
        negative_slope: The slope of LeakyReLU below 0; 0 makes it a ReLU.
        condition_dim: The width of the condition; 0: the network is unconditional.
        label_embedding_dim: The width to which the condition is embedded before it joins z; 0: it is not embedded.
    """

    def __init__(
        self,
        latent_dim: int,
        image_shape: Sequence[int],
        hidden_dims: Sequence[int] = (256, 256),
        batch_norm: bool = True,
        batch_norm_eps: float = 1e-5,
        negative_slope: float = 0.2,
        condition_dim: int = 0,
        label_embedding_dim: int = 0,
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.concat = LatentConcat(latent_dim, condition_dim, label_embedding_dim)
        self.image_shape = tuple(image_shape)
        layers: list[nn.Module] = []
        for index, (in_dim, out_dim) in enumerate(zip([self.concat.out_dim, *hidden_dims], hidden_dims, strict=False)):
            layers.append(nn.Linear(in_dim, out_dim))
            if batch_norm and index > 0:
                layers.append(nn.BatchNorm1d(out_dim, eps=batch_norm_eps))
            layers.append(nn.LeakyReLU(negative_slope, inplace=True))
        layers += [nn.Linear(hidden_dims[-1], math.prod(self.image_shape)), nn.Tanh()]
        self.layers = nn.Sequential(*layers)

    def forward(
        self, z: Float[Tensor, "batch latent"], condition: Float[Tensor, "batch condition"] | None = None
    ) -> Float[Tensor, "batch *sample"]:
        return self.layers(self.concat(z, condition)).view(-1, *self.image_shape)


class MLPDiscriminator(ConditionalDiscriminator):
    """sample -> hidden_dims[0] -> ... -> logit, LeakyReLU between.

    Args:
        image_shape: The shape of a sample, such as (channels, height, width).
        hidden_dims: The widths of the hidden layers.
        negative_slope: The slope of LeakyReLU below 0.
        condition_dim: The width of the condition; 0: the network is unconditional.
        join: How the condition enters.
        minibatch_std: The layer before the last hidden layer; None: there is none.
        minibatch_discrimination: A function that builds the layer on the features; None: there is none.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        hidden_dims: Sequence[int] = (256, 256),
        negative_slope: float = 0.2,
        condition_dim: int = 0,
        join: Join = "projection",
        minibatch_std: MinibatchStd | None = None,
        minibatch_discrimination: Callable[[int], MinibatchDiscrimination] | None = None,
    ) -> None:
        super().__init__(image_shape, condition_dim, join)
        layers: list[nn.Module] = [nn.Flatten()]
        widths = [math.prod(self.concat.shape), *hidden_dims[:-1]]
        for index, (in_dim, out_dim) in enumerate(zip(widths, hidden_dims, strict=True)):
            if minibatch_std is not None and index == len(hidden_dims) - 1:
                layers.append(minibatch_std)
                in_dim += minibatch_std.num_channels
            layers += [nn.Linear(in_dim, out_dim), nn.LeakyReLU(negative_slope, inplace=True)]
        self.set_body(nn.Sequential(*layers), hidden_dims[-1], minibatch_discrimination)
