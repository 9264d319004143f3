"""The networks of a much-copied exercise: 96x96 faces from tags, which enter D as one more channel."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor, nn

from gan_lightning.networks.conditioning import ConditionalDiscriminator, Join, LatentConcat
from gan_lightning.networks.minibatch import MinibatchDiscrimination
from gan_lightning.networks.sizes import height_and_width
from gan_lightning.specs import Described


class FaceGenerator(Described, nn.Module):
    """[latent, tags] -> Linear -> a map of twice the image's size -> two convolutions -> a strided one -> image.

    Args:
        latent_dim: The width of z.
        image_shape: (channels, height, width) of an image.
        channels: The channels of the map, and those that each of the two convolutions gives.
        condition_dim: The width of the condition; 0: the network is unconditional.
        label_embedding_dim: The width to which the condition is embedded before it joins z; 0: it is not embedded.
    """

    def __init__(
        self,
        latent_dim: int,
        image_shape: Sequence[int],
        channels: Sequence[int] = (15, 50, 25),
        condition_dim: int = 0,
        label_embedding_dim: int = 0,
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.concat = LatentConcat(latent_dim, condition_dim, label_embedding_dim)
        height, width = height_and_width(image_shape)
        first, second, third = channels
        self.layers = nn.Sequential(
            nn.Linear(self.concat.out_dim, first * 4 * height * width),
            nn.Unflatten(1, (first, 2 * height, 2 * width)),
            *(nn.BatchNorm2d(first), nn.ReLU(inplace=True)),
            *(nn.Conv2d(first, second, 3, padding=1), nn.BatchNorm2d(second), nn.ReLU(inplace=True)),
            *(nn.Conv2d(second, third, 3, padding=1), nn.BatchNorm2d(third), nn.ReLU(inplace=True)),
            *(nn.Conv2d(third, image_shape[0], 2, stride=2), nn.Tanh()),
        )

    def forward(
        self, z: Float[Tensor, "batch latent"], condition: Float[Tensor, "batch condition"] | None = None
    ) -> Float[Tensor, "batch channels height width"]:
        return self.layers(self.concat(z, condition))


class FaceDiscriminator(ConditionalDiscriminator):
    """image -> two convolutions with average pooling, to a sixth of the size -> Linear -> logit.

    Args:
        image_shape: (channels, height, width) of an image.
        channels: The channels that each of the two convolutions gives.
        hidden_dim: The width of the linear layer.
        condition_dim: The width of the condition; 0: the network is unconditional.
        join: How the condition enters; the exercise has "concat".
        minibatch_discrimination: A function that builds the layer on the features; None: there is none.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        channels: Sequence[int] = (32, 64),
        hidden_dim: int = 1024,
        condition_dim: int = 0,
        join: Join = "concat",
        minibatch_discrimination: Callable[[int], MinibatchDiscrimination] | None = None,
    ) -> None:
        super().__init__(image_shape, condition_dim, join)
        first, second = channels
        size = [(length // 2 - 2) // 3 + 1 for length in image_shape[1:]]
        body = nn.Sequential(
            *(nn.Conv2d(self.concat.shape[0], first, 5, padding=2), nn.LeakyReLU(0.2, inplace=True), nn.AvgPool2d(2)),
            *(nn.Conv2d(first, second, 5, padding=2), nn.LeakyReLU(0.2, inplace=True), nn.AvgPool2d(2, stride=3)),
            nn.Flatten(),
            *(nn.Linear(second * math.prod(size), hidden_dim), nn.LeakyReLU(0.2, inplace=True)),
        )
        self.set_body(body, hidden_dim, minibatch_discrimination)
