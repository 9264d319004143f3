"""The Wasserstein GAN."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from gan_lightning.losses import Player, Wasserstein
from gan_lightning.models.gan import GAN


class WGAN(GAN):
    """Wasserstein GAN: Arjovsky et al. 2017 (arXiv:1701.07875), eq. 3 and algorithm 1.

        D minimizes  E_z D(G(z)) - E_x D(x)
        G minimizes  -E_z D(G(z))

    D has to be Lipschitz, by weights that are clipped to [-clip, clip], or by a penalty
    (WGAN-GP: Gulrajani et al. 2017, arXiv:1704.00028).

    Args:
        generator: As of `GAN`.
        discriminator: As of `GAN`.
        clip: The paper's c; None: no clipping.
    """

    default_loss = Wasserstein

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, *, clip: float | None = None, **gan: Any
    ) -> None:
        super().__init__(generator, discriminator, **gan)
        self.clip = clip

    @torch.no_grad()
    def after_step(self, player: Player) -> None:
        if player == "discriminator" and self.clip is not None:
            for weight in self.discriminator.parameters():
                if weight.requires_grad:  # not those of frozen blocks
                    weight.clamp_(-self.clip, self.clip)
