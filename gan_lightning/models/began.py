"""The GAN whose discriminator is an autoencoder."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gan_lightning.losses.adversarial import Terms
from gan_lightning.models.gan import GAN


class BEGAN(GAN):
    """Boundary-equilibrium GAN: Berthelot et al. 2017 (arXiv:1703.10717), section 3.4.

        D minimizes  L(x) - k L(G(z_D)),  G minimizes  L(G(z_G)),  k <- k + rate (gamma L(x) - L(G(z_G)))

    L is what the autoencoder D fails to reconstruct; its logit is -L (`network=began`, or `autoencoder` for samples
    that are no images). The paper draws z from U(-1, 1), this from N(0, 1).

    Args:
        gamma: diversity ratio, E L(G(z)) / E L(x) at the equilibrium.
        rate: the paper's lambda_k.
    """

    logits_have_a_sign = False
    balance: Tensor

    def __init__(self, *arguments: Any, gamma: float = 0.5, rate: float = 1e-3, **more: Any) -> None:
        super().__init__(*arguments, **more)
        if not hasattr(self.discriminator, "reconstruct"):
            raise ValueError(
                f"network.discriminator: {type(self.discriminator).__name__} reconstructs nothing; BEGAN's is an "
                "autoencoder: network=began"
            )
        self.gamma = gamma
        self.rate = rate
        self.register_buffer("balance", torch.tensor(0.0))

    def discriminator_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Terms:
        return {"real": -real_logits.mean(), "fake": self.balance * fake_logits.mean()}

    def generator_loss(self, fake_logits: Tensor) -> Terms:
        return {"fake": -fake_logits.mean()}

    @torch.no_grad()
    def observe(self) -> None:
        super().observe()
        if not self.generator_moves:
            return
        real, fake = self.terms["discriminator"]["real"], self.terms["generator"]["fake"]
        self.balance.add_(self.rate * (self.gamma * real - fake)).clamp_(0, 1)
        # Section 3.4.1: small where reconstruction is good and the equilibrium held.
        self.convergence = real + (self.gamma * real - fake).abs()

    def report(self) -> dict[str, float | Tensor]:
        return super().report() | {"began/balance": self.balance, "began/convergence": self.convergence}
