"""The GAN of relativistic pairs."""

from gan_lightning.losses import RelativisticPairs
from gan_lightning.models.gan import GAN


class R3GAN(GAN):
    """R3GAN: relativistic pairs with the penalties R1 and R2 (`penalties`); C are the logits.

        D minimizes  E log(1 + exp(C(G(z)) - C(x))) + R1 + R2
        G minimizes  E log(1 + exp(C(x) - C(G(z))))

    Huang et al. 2024 (arXiv:2501.05441), eq. 2.
    """

    default_loss = RelativisticPairs
