"""GANs whose discriminator judges how much more real one sample is than another."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_lightning.distributed.collectives import all_reduce_mean
from gan_lightning.losses import adversarial
from gan_lightning.losses.adversarial import Terms
from gan_lightning.models.gan import GAN


class ComparingGAN(GAN):
    """The step of a GAN whose generator's loss also looks at real logits; variants override `compared`."""

    logits_have_a_sign = False

    def compared(self, better: Tensor, worse: Tensor) -> Terms:
        """The loss of a player for whom `better` logits should exceed `worse` ones."""
        raise NotImplementedError

    def discriminator_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Terms:
        return self.compared(better=real_logits, worse=fake_logits)

    def generator_terms(self, real: Tensor, condition: Tensor | None) -> Terms:
        fake = self.generator(self.latent(len(real), "generator"), condition)
        with torch.no_grad():
            real_logits = self.discriminate(real, condition)
        return self.compared(better=self.discriminate(fake, condition), worse=real_logits)


class RelativisticAverageGAN(ComparingGAN):
    """RaSGAN: Jolicoeur-Martineau 2018 (arXiv:1807.00734), section 4.2, with C the logits and s the sigmoid.

    D minimizes  -E_x log s(C(x) - E_z C(G(z))) - E_z log(1 - s(C(G(z)) - E_x C(x)))
    G minimizes  -E_z log s(C(G(z)) - E_x C(x)) - E_x log(1 - s(C(x) - E_z C(G(z))))
    """

    def compared(self, better: Tensor, worse: Tensor) -> Terms:
        return adversarial.relativistic_average(
            better, worse, all_reduce_mean(better.mean()), all_reduce_mean(worse.mean())
        )


class R3GAN(ComparingGAN):
    """R3GAN: Huang et al. 2024 (arXiv:2501.05441), eq. 2 with both penalties R1 and R2 (given as `penalties`).

    D minimizes  E log(1 + exp(C(G(z)) - C(x))) + R1 + R2
    G minimizes  E log(1 + exp(C(x) - C(G(z))))
    """

    def compared(self, better: Tensor, worse: Tensor) -> Terms:
        return adversarial.relativistic_pairs(better, worse)
