"""The GAN of the hinge loss."""

from gan_lightning.losses import Hinge
from gan_lightning.models.gan import GAN


class HingeGAN(GAN):
    """Geometric GAN, with the hinge loss.

        D minimizes  E_x max(0, 1 - D(x)) + E_z max(0, 1 + D(G(z)))
        G minimizes  -E_z D(G(z))

    Lim & Ye 2017 (arXiv:1705.02894), section 4.
    """

    default_loss = Hinge
