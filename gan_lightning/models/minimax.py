"""The minimax game."""

from gan_lightning.losses import Minimax
from gan_lightning.models.gan import GAN


class MinimaxGAN(GAN):
    """The minimax GAN.

        D maximizes, G minimizes  E_x log D(x) + E_z log(1 - D(G(z)))

    Goodfellow et al. 2014 (arXiv:1406.2661), eq. 1. Where D(G(z)) is near 0, G has no gradient.
    """

    default_loss = Minimax
