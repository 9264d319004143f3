"""Conditioning on labels: the parts that every family of networks shares.

A condition is a vector (batch, condition_dim), one-hot for a class, multi-hot for tags, zero where a sample is not
labeled. Where condition_dim is 0 the parts change nothing and expect None.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import linear

from gan_lightning.networks.minibatch import MinibatchDiscrimination
from gan_lightning.specs import Described

Join = Literal["projection", "inner_product", "concat"]
"""How a discriminator is conditioned: by a term of its logit, by its whole logit, or by concatenation to its input."""
Factors = tuple[Float[Tensor, "batch features"], Float[Tensor, "#batch features"], Float[Tensor, "1"] | None]
"""h, w and b of a logit <h, w> + b; w has one row if all samples share it, and b may be None."""


class LatentConcat(nn.Module):
    """Concatenates the condition to z: Mirza & Osindero 2014 (arXiv:1411.1784), section 3.2.

        [z, condition],    or with an embedding    [z, W condition + b]

    Args:
        latent_dim: The width of z.
        condition_dim: The width of the condition; 0: nothing is added.
        label_embedding_dim: The width of W condition + b; 0: the condition enters as it is.
        bias: Whether there is b.

    Attributes:
        out_dim: The width of the output.
    """

    def __init__(self, latent_dim: int, condition_dim: int, label_embedding_dim: int = 0, bias: bool = True) -> None:
        super().__init__()
        embedded = condition_dim > 0 and label_embedding_dim > 0
        self.embedding = nn.Linear(condition_dim, label_embedding_dim, bias=bias) if embedded else nn.Identity()
        self.out_dim = latent_dim + (label_embedding_dim if embedded else condition_dim)

    def forward(
        self, z: Float[Tensor, "batch latent"], condition: Float[Tensor, "batch condition"] | None
    ) -> Float[Tensor, "batch joined"]:
        return z if condition is None else torch.cat([z, self.embedding(condition)], 1)


class LabelEmbedding(nn.Module):
    """W condition: an embedding that several layers share, Brock et al. 2019 (arXiv:1809.11096), section 3.

    It is no `Linear`, so that spectral normalization leaves W as it is, as in the code of BigGAN.

    Args:
        condition_dim: The width of the condition.
        embedding_dim: The width of W condition.
    """

    def __init__(self, condition_dim: int, embedding_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(nn.init.orthogonal_(torch.empty(embedding_dim, condition_dim)))

    def forward(self, condition: Float[Tensor, "batch condition"]) -> Float[Tensor, "batch embedded"]:
        return linear(condition, self.weight)


class ChannelConcat(nn.Module):
    """Concatenates one channel to an image, a linear map of the condition.

    Args:
        image_shape: The shape (channels, *size) of a sample.
        condition_dim: The width of the condition; 0: nothing is added.

    Attributes:
        shape: The shape of a sample with the added channel.
    """

    def __init__(self, image_shape: Sequence[int], condition_dim: int) -> None:
        super().__init__()
        channels, *self.size = image_shape
        self.shape = (channels + (condition_dim > 0), *self.size)
        self.channel = nn.Linear(condition_dim, math.prod(self.size)) if condition_dim else None

    def forward(
        self, image: Float[Tensor, "batch channels *size"], condition: Float[Tensor, "batch condition"] | None
    ) -> Float[Tensor, "batch joined *size"]:
        if self.channel is None or condition is None:
            return image
        return torch.cat([image, self.channel(condition).view(-1, 1, *self.size)], 1)


class ConditionalBatchNorm(nn.Module):
    """Batch norm whose scale and shift are linear maps of the condition: de Vries et al. 2017 (arXiv:1707.00683).

        y = (x - mean) / sqrt(var + eps) * (V condition + g) + W condition + b,    at first g = 1, b = 0

    Args:
        channels: The channels of the feature map.
        condition_dim: The width of the condition; 0: g and b are learned alone, as in ordinary batch norm.
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
        feature_dim: The width of the features.
        condition_dim: The width of the condition; 0: the logit has the linear part alone.
        bias: Whether there is b.
    """

    def __init__(self, feature_dim: int, condition_dim: int, bias: bool = True) -> None:
        super().__init__()
        self.linear = nn.Linear(feature_dim, 1, bias=bias)
        self.projection = nn.Linear(condition_dim, feature_dim, bias=False) if condition_dim else None

    def forward(
        self, features: Float[Tensor, "batch features"], condition: Float[Tensor, "batch condition"] | None
    ) -> Float[Tensor, " batch"]:
        logits = self.linear(features).squeeze(1)
        if self.projection is None or condition is None:
            return logits
        return logits + (self.projection(condition) * features).sum(1)

    def factors(self, features: Float[Tensor, "batch features"], condition: Tensor | None) -> Factors:
        """Returns h, w and b, where logit = <h, w> + b: the features, w + V condition, and the bias."""
        weight = self.linear.weight
        if self.projection is not None and condition is not None:
            weight = weight + self.projection(condition)
        return features, weight, self.linear.bias


class InnerProductHead(nn.Module):
    """features -> logit = <W features, V condition>: the conditional R3GAN of Huang et al. 2024 (arXiv:2501.05441).

    No part of the logit is free of the condition: a sample that has none gets the logit 0.

    Args:
        feature_dim: The width of the features, of W features and of V condition.
        condition_dim: The width of the condition.
    """

    def __init__(self, feature_dim: int, condition_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(feature_dim, feature_dim, bias=False)
        self.embedding = nn.Linear(condition_dim, feature_dim, bias=False)

    def forward(
        self, features: Float[Tensor, "batch features"], condition: Float[Tensor, "batch condition"]
    ) -> Float[Tensor, " batch"]:
        h, weight, _ = self.factors(features, condition)
        return (h * weight).sum(1)

    def factors(
        self, features: Float[Tensor, "batch features"], condition: Float[Tensor, "batch condition"]
    ) -> Factors:
        """Returns h, w and b, where logit = <h, w> + b: W features, V condition, and no bias."""
        return self.linear(features), self.embedding(condition), None


class ConditionalDiscriminator(Described, nn.Module):
    """image, condition -> [concatenated channel] -> body -> features -> logit: the base class of most discriminators.

    A family builds its body, which maps (batch, *concat.shape) to (batch, features), and calls `set_body` with it.

    Args:
        image_shape: The shape (channels, *size) of a sample.
        condition_dim: The width of the condition; 0: the network is unconditional.
        join: How the condition enters: "concat" adds a channel to the image, "projection" a term to the logit, and
            "inner_product" makes the logit an inner product with the condition's embedding.

    Attributes:
        feature_dim: The width of the features.
    """

    def __init__(self, image_shape: Sequence[int], condition_dim: int, join: Join) -> None:
        super().__init__()
        self.join = join
        self.head_condition_dim = 0 if join == "concat" else condition_dim
        self.concat = ChannelConcat(image_shape, condition_dim - self.head_condition_dim)

    def set_body(
        self,
        body: nn.Module,
        feature_dim: int,
        minibatch_discrimination: Callable[[int], MinibatchDiscrimination] | None = None,
        bias: bool = True,
    ) -> None:
        """Sets the body and the head.

        Args:
            body: The network from the image to the features.
            feature_dim: The width of its features.
            minibatch_discrimination: A function that builds the layer on the features, from their width; None: there
                is none.
            bias: Whether a linear head has a bias.
        """
        if minibatch_discrimination is not None:
            layer = minibatch_discrimination(feature_dim)
            body, feature_dim = nn.Sequential(body, layer), feature_dim + layer.kernels
        self.feature_dim = feature_dim
        self.body = body
        if self.join == "inner_product" and self.head_condition_dim:
            self.head: InnerProductHead | LogitHead = InnerProductHead(feature_dim, self.head_condition_dim)
        else:
            self.head = LogitHead(feature_dim, self.head_condition_dim, bias)

    def features(
        self, image: Float[Tensor, "batch *sample"], condition: Float[Tensor, "batch condition"] | None = None
    ) -> Float[Tensor, "batch features"]:
        """The features from which the logit is computed; an auxiliary head may share them."""
        return self.body(self.concat(image, condition))

    def forward(
        self, image: Float[Tensor, "batch *sample"], condition: Float[Tensor, "batch condition"] | None = None
    ) -> Float[Tensor, " batch"]:
        return self.head(self.features(image, condition), condition)
