"""The loss of BEGAN, whose discriminator is an autoencoder."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_lightning.losses.adversarial import AdversarialLoss, Logits
from gan_lightning.losses.terms import StepOutput, Terms


class BoundaryEquilibrium(AdversarialLoss):
    """BEGAN: Berthelot et al. 2017 (arXiv:1703.10717), section 3.4.

        D minimizes  L(x) - k L(G(z_D)),  G minimizes  L(G(z_G)),
        k <- k + lambda_k (gamma L(x) - L(G(z_G))),  within [0, 1]

    L is the reconstruction error of the autoencoder D, whose logit is -L.

    Args:
        gamma: The diversity ratio, E L(G(z)) / E L(x) at the equilibrium.
        lambda_k: The step size of k.
    """

    separable = False
    logits_have_a_sign = False
    needs_reconstruction = True
    k: Tensor

    def __init__(self, gamma: float = 0.5, lambda_k: float = 1e-3) -> None:
        super().__init__()
        self.gamma = gamma
        self.lambda_k = lambda_k
        self.register_buffer("k", torch.tensor(0.0))

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Terms:
        return {"real": -real_logits, "fake": self.k * fake_logits.mean()}

    def generator(self, fake_logits: Logits, real_logits: Logits | None = None) -> Terms:
        return {"fake": -fake_logits}

    @torch.no_grad()
    def on_step_end(self, output: StepOutput) -> None:
        if "generator" in output["terms"]:
            real, fake = output["terms"]["discriminator"]["real"], output["terms"]["generator"]["fake"]
            self.k.add_(self.lambda_k * (self.gamma * real - fake)).clamp_(0, 1)

    def metrics(self, output: StepOutput) -> dict[str, Tensor]:
        """Returns k, and, after an update of G, the convergence (section 3.4.1), L(x) + |gamma L(x) - L(G(z_G))|."""
        found = {"began/k": self.k}
        if output["terms"].keys() >= {"discriminator", "generator"}:
            real, fake = output["terms"]["discriminator"]["real"], output["terms"]["generator"]["fake"]
            found["began/convergence"] = real + (self.gamma * real - fake).abs()
        return found
