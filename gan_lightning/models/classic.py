"""GANs that differ in what the logits are taken for."""

from __future__ import annotations

from torch import Tensor

from gan_lightning.losses import adversarial
from gan_lightning.losses.adversarial import Terms
from gan_lightning.models.gan import GAN


class MinimaxGAN(GAN):
    """The game itself: Goodfellow et al. 2014 (arXiv:1406.2661), eq. 1. G saturates where D is sure.

    D maximizes, G minimizes  E_x log D(x) + E_z log(1 - D(G(z)))
    """

    def generator_loss(self, fake_logits: Tensor) -> Terms:
        return adversarial.saturating_generator(fake_logits)


class LSGAN(GAN):
    """Least-squares GAN: Mao et al. 2017 (arXiv:1611.04076), eq. 9.

    D minimizes  1/2 E_x (D(x) - 1)^2 + 1/2 E_z D(G(z))^2
    G minimizes  1/2 E_z (D(G(z)) - 1)^2
    """

    logits_have_a_sign = False

    def discriminator_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Terms:
        return adversarial.least_squares_discriminator(real_logits, fake_logits)

    def generator_loss(self, fake_logits: Tensor) -> Terms:
        return adversarial.least_squares_generator(fake_logits)


class HingeGAN(GAN):
    """Geometric GAN: Lim & Ye 2017 (arXiv:1705.02894), section 4.

    D minimizes  E_x max(0, 1 - D(x)) + E_z max(0, 1 + D(G(z)))
    G minimizes  -E_z D(G(z))
    """

    def discriminator_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Terms:
        return adversarial.hinge_discriminator(real_logits, fake_logits)

    def generator_loss(self, fake_logits: Tensor) -> Terms:
        return adversarial.critics_generator(fake_logits)
