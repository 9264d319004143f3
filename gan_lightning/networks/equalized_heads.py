"""The heads of StyleGAN2's discriminator, of layers with an equalized learning rate."""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor, nn

from gan_lightning.networks.conditioning import Factors, InnerProductHead, LogitHead
from gan_lightning.networks.equalized import EqualizedLinear
from gan_lightning.networks.modulation import label_embedding, mapping_network


class EqualizedLogitHead(LogitHead):
    """features -> logit, as `LogitHead`, by an equalized layer, and with an embedding of the condition of norm 1.

    Args:
        feature_dim: The width of the features.
        condition_dim: The width of the condition; 0: the logit has the linear part alone.
    """

    def __init__(self, feature_dim: int, condition_dim: int) -> None:
        super().__init__(feature_dim, condition_dim)
        self.linear = EqualizedLinear(feature_dim, 1)
        if self.projection is not None:
            nn.init.normal_(self.projection.weight, 0.0, 1 / math.sqrt(feature_dim))

    def factors(self, features: Float[Tensor, "batch features"], condition: Tensor | None) -> Factors:
        """Returns h, w and b, as of `LogitHead`; w has the layer's gain."""
        h, weight, bias = super().factors(features, None)
        weight = weight * self.linear.weight_gain  # type: ignore[operator]
        if self.projection is not None and condition is not None:
            weight = weight + self.projection(condition)
        return h, weight, bias


class MappedInnerProductHead(InnerProductHead):
    """features -> logit = <W features + b, mapping(condition)> / sqrt(feature_dim): the conditional D of ADA's code.

    Args:
        feature_dim: The width of the features, and of what they are multiplied by.
        condition_dim: The width of the condition.
        mapping_layers: The number of layers of the mapping network.
    """

    def __init__(self, feature_dim: int, condition_dim: int, mapping_layers: int) -> None:
        super().__init__(feature_dim, condition_dim)
        self.linear = EqualizedLinear(feature_dim, feature_dim)
        self.embedding = nn.Sequential(  # type: ignore[assignment]
            label_embedding(condition_dim, feature_dim), mapping_network(feature_dim, feature_dim, mapping_layers)
        )

    def factors(
        self, features: Float[Tensor, "batch features"], condition: Float[Tensor, "batch condition"]
    ) -> Factors:
        """Returns h, w and b, as of `InnerProductHead`; h is divided by sqrt(feature_dim)."""
        h, weight, bias = super().factors(features, condition)
        return h / math.sqrt(features.shape[1]), weight, bias
