"""The GAN whose players step together."""

from __future__ import annotations

from torch import Tensor

from gan_lightning.errors import UserError
from gan_lightning.losses.adversarial import Terms
from gan_lightning.models.gan import GAN
from gan_lightning.models.step import Player


class SimultaneousGAN(GAN):
    """Non-saturating GAN by simultaneous gradient descent: Mescheder et al. 2017 (arXiv:1705.10461), algorithm 1.

        (D, G) <- (D - lr grad_D L_D(D, G),  G - lr grad_G L_G(D, G))

    Both gradients belong to the same fake batch and the same forward pass; neither player sees the other's step.
    """

    def setup(self, stage: str) -> None:
        super().setup(stage)
        if self.trainer.precision == "16-mixed":  # its gradient scale would change between the two steps
            raise UserError("trainer.precision=16-mixed: players that step together need bf16-mixed or 32-true")

    def turns(self) -> list[tuple[Player, ...]]:
        return [("discriminator", "generator")] if self.generator_moves else [("discriminator",)]

    def discriminator_terms(self, real: Tensor, condition: Tensor | None) -> Terms:
        fake = self.generator(self.latent(len(real), "both"), condition)
        return self.judge(real, fake, condition)

    def generator_terms(self, real: Tensor, condition: Tensor | None) -> Terms:
        return self.generator_loss(self.logits["fake"])
