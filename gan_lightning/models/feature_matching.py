"""The GAN whose generator matches the mean features of real samples."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from gan_lightning.distributed.collectives import all_reduce_mean
from gan_lightning.losses import DiscriminatorOutput, Terms, TopK
from gan_lightning.losses.terms import join, to_float32
from gan_lightning.models.gan import GAN


class FeatureMatchingGAN(GAN):
    """Feature matching: Salimans et al. 2016 (arXiv:1606.03498), section 3.1. f are D's features before its logit.

        D minimizes  what it does under the loss
        G minimizes  |E_x f(x) - E_z f(G(z))|^2

    The means are over the whole batch of all processes, and f(x) has no gradient. Heads are added.

    Raises:
        ValueError: The loss is top-k's, whose part for G is not used.
    """

    uses_features = True

    def __init__(self, generator: nn.Module, discriminator: nn.Module, **gan: Any) -> None:
        super().__init__(generator, discriminator, **gan)
        if isinstance(self.loss, TopK):
            raise ValueError(
                "model.loss: TopK chooses the samples of G's term, and feature matching has another term, of their "
                "mean; choose another model/loss=, such as non_saturating"
            )

    @property
    def generator_sees_real(self) -> bool:
        return True

    def generator_terms(self, d_fake: DiscriminatorOutput, d_real: DiscriminatorOutput | None) -> Terms:
        assert d_real is not None
        terms = {"features": (_mean_features(d_real).detach() - _mean_features(d_fake)).square().sum()}
        return join(terms, *(head.generator(d_fake) for head in self.heads.values()))  # type: ignore[operator]


def _mean_features(output: DiscriminatorOutput) -> Tensor:
    assert output.features is not None
    return all_reduce_mean(to_float32(output.features).mean(0))
