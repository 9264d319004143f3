"""The GAN whose discriminator is consistent, and whose generator is not, where latents are near each other."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from gan_lightning.losses import DiscriminatorOutput, Hinge, LatentDistance, Terms
from gan_lightning.losses.terms import join
from gan_lightning.models.batch import Batch
from gan_lightning.models.draws import Draws
from gan_lightning.models.gan import GAN


class ZCRGAN(GAN):
    """Latent consistency regularization (zCR): Zhao et al. 2021 (arXiv:2002.04724), algorithm 2.

        D minimizes  L_D + discriminator_weight * E (D(G(z)) - D(G(z + d)))^2
        G minimizes  L_G - generator_weight * E |G(z) - G(z + d)|^2 / n

    d ~ N(0, latent_std^2) for each number of z, and n is the number of numbers in a sample. With `model/penalties=bcr`
    this is the paper's ICR.

    Args:
        generator: As of `GAN`.
        discriminator: As of `GAN`.
        latent_std: The paper's sigma, of each number of z.
        discriminator_weight: The paper's lambda_dis.
        generator_weight: The paper's lambda_gen.

    Raises:
        ValueError: `pack` is set.
    """

    default_loss = Hinge

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        latent_std: float = 0.05,
        discriminator_weight: float = 20.0,
        generator_weight: float = 0.5,
        **gan: Any,
    ) -> None:
        parts = {"zcr": LatentDistance(generator_weight, latent_std)} | (gan.pop("generator_regularizers", None) or {})
        super().__init__(generator, discriminator, generator_regularizers=parts, **gan)
        self.latent_std = latent_std
        self.discriminator_weight = discriminator_weight
        if self.pack > 1:
            raise ValueError(f"model.pack={self.pack}: zCR moves the latents of single samples; set it to 1")

    def discriminator_terms(
        self, real: Batch, fake: Batch, d_real: DiscriminatorOutput, d_fake: DiscriminatorOutput, draws: Draws
    ) -> Terms:
        terms = super().discriminator_terms(real, fake, d_real, d_fake, draws)
        assert fake.z is not None
        with torch.no_grad():
            noise = draws.noise(len(fake.z), "zcr", torch.randn, fake.z.shape[1])
            near = self.generator(fake.z + self.latent_std * noise, fake.condition)
        logits = self.discriminate(Batch(near, fake.condition)).logits
        return join(terms, {"zcr": self.discriminator_weight * (d_fake.logits - logits).square()})
