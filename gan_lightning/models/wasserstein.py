"""Wasserstein GANs: D is a critic f, whose logits are no probabilities."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gan_lightning.losses import adversarial
from gan_lightning.losses.adversarial import Terms
from gan_lightning.models.gan import GAN
from gan_lightning.models.step import Player


class WGAN(GAN):
    """Wasserstein GAN: Arjovsky et al. 2017 (arXiv:1701.07875), eq. 3 and algorithm 1.

        f minimizes  E_z f(G(z)) - E_x f(x)
        G minimizes  -E_z f(G(z))

    f has to be Lipschitz: by weights clipped to [-clip, clip], or by a penalty (WGAN-GP: Gulrajani et al. 2017,
    arXiv:1704.00028).

    Args:
        clip: the paper's c; None: no clipping.
    """

    logits_have_a_sign = False

    def __init__(self, *arguments: Any, clip: float | None = None, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.clip = clip

    def discriminator_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Terms:
        return adversarial.critic(real_logits, fake_logits)

    def generator_loss(self, fake_logits: Tensor) -> Terms:
        return adversarial.critics_generator(fake_logits)

    @torch.no_grad()
    def constrain(self, player: Player) -> None:
        if player == "discriminator" and self.clip is not None:
            for weight in self.discriminator.parameters():
                weight.clamp_(-self.clip, self.clip)
