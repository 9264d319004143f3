"""How networks are told a condition: the parts that every family shares.

A condition is a vector (batch, condition_dim), one-hot for a class, multi-hot for tags, zero where a sample is not
labeled. Where condition_dim is 0 the parts change nothing and expect None.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gan_lightning.specs import Described

Join = Literal["projection", "concat"]
"""How a discriminator learns of the condition."""


class JoinLatent(nn.Module):
    """[z, condition]: Mirza & Osindero 2014 (arXiv:1411.1784), section 3.2; or [z, W condition + b].

    Args:
        latent_dim: width of z.
        condition_dim: width of the condition; 0 adds nothing.
        label_embedding_dim: width of W condition + b; 0: the condition enters as it is.

    Attributes:
        out_dim: width of the output.
    """

    def __init__(self, latent_dim: int, condition_dim: int, label_embedding_dim: int = 0) -> None:
        super().__init__()
        embedded = condition_dim > 0 and label_embedding_dim > 0
        self.embedding = nn.Linear(condition_dim, label_embedding_dim) if embedded else nn.Identity()
        self.out_dim = latent_dim + (label_embedding_dim if embedded else condition_dim)

    def forward(
        self, z: Float[Tensor, "batch latent"], condition: Float[Tensor, "batch condition"] | None
    ) -> Float[Tensor, "batch joined"]:
        return z if condition is None else torch.cat([z, self.embedding(condition)], 1)


class ChannelConcat(nn.Module):
    """Adds one channel to an image, a linear map of the condition: conditioning by concatenation, at the input.

    Args:
        image_shape: (channels, *size) of a sample.
        condition_dim: width of the condition; 0 adds nothing.

    Attributes:
        shape: of a sample with the added channel.
    """

    def __init__(self, image_shape: Sequence[int], condition_dim: int) -> None:
        super().__init__()
        channels, *self.size = image_shape
        self.shape = (channels + (condition_dim > 0), *self.size)
        self.plane = nn.Linear(condition_dim, math.prod(self.size)) if condition_dim else None

    def forward(
        self, image: Float[Tensor, "batch channels *size"], condition: Float[Tensor, "batch condition"] | None
    ) -> Float[Tensor, "batch joined *size"]:
        if self.plane is None or condition is None:
            return image
        return torch.cat([image, self.plane(condition).view(-1, 1, *self.size)], 1)


class ConditionalBatchNorm(nn.Module):
    """Batch norm whose scale and shift are linear maps of the condition: de Vries et al. 2017 (arXiv:1707.00683).

        y = (x - mean) / sqrt(var + eps) * (V condition + g) + W condition + b,    at first g = 1, b = 0

    Args:
        channels: of the feature map.
        condition_dim: width of the condition; 0: g and b alone, ordinary batch norm.
    """

    def __init__(self, channels: int, condition_dim: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=not condition_dim)
        self.affine = nn.Linear(condition_dim, 2 * channels) if condition_dim else None
        if self.affine is not None:
            nn.init.normal_(self.affine.weight, 0.0, 0.02)  # small, so that the condition acts from the start
            nn.init.constant_(self.affine.bias[:channels], 1.0)
            nn.init.constant_(self.affine.bias[channels:], 0.0)

    def forward(
        self, x: Float[Tensor, "batch channels height width"], condition: Float[Tensor, "batch condition"] | None
    ) -> Float[Tensor, "batch channels height width"]:
        x = self.norm(x)
        if self.affine is None or condition is None:
            return x
        scale, shift = self.affine(condition)[:, :, None, None].chunk(2, 1)
        return x * scale + shift


class LogitHead(nn.Module):
    """features -> logit = w . features + b + <V condition, features>: Miyato & Koyama 2018 (arXiv:1802.05637), eq. 4.

    Args:
        features: width of the features.
        condition_dim: width of the condition; 0 leaves the linear part alone.
    """

    def __init__(self, features: int, condition_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1)
        self.projection = nn.Linear(condition_dim, features, bias=False) if condition_dim else None

    def forward(
        self, features: Float[Tensor, "batch features"], condition: Float[Tensor, "batch condition"] | None
    ) -> Float[Tensor, " batch"]:
        logits = self.linear(features).squeeze(1)
        if self.projection is None or condition is None:
            return logits
        return logits + (self.projection(condition) * features).sum(1)


class ConditionedDiscriminator(Described, nn.Module):
    """image, condition -> [label plane] -> body -> head: what the discriminators of all families share.

    A family calls `wire` with its body, which maps (batch, *shape) to (batch, features).

    Attributes:
        feature_dim: width of the features.
    """

    def __init__(self, image_shape: Sequence[int], condition_dim: int, join: Join) -> None:
        super().__init__()
        self.projected = condition_dim if join == "projection" else 0
        self.plane = ChannelConcat(image_shape, condition_dim - self.projected)

    def wire(self, body: nn.Module, features: int) -> None:
        """Puts the parts in place."""
        self.feature_dim = features
        self.body = body
        self.head = LogitHead(features, self.projected)

    def features(
        self, image: Float[Tensor, "batch *sample"], condition: Float[Tensor, "batch condition"] | None = None
    ) -> Float[Tensor, "batch features"]:
        """What the logit is computed from; other heads may share it."""
        return self.body(self.plane(image, condition))

    def forward(
        self, image: Float[Tensor, "batch *sample"], condition: Float[Tensor, "batch condition"] | None = None
    ) -> Float[Tensor, " batch"]:
        return self.head(self.features(image, condition), condition)
