"""The GAN of least squares."""

from gan_lightning.losses import LeastSquares
from gan_lightning.models.gan import GAN


class LSGAN(GAN):
    """Least-squares GAN.

        D minimizes  1/2 E_x (D(x) - 1)^2 + 1/2 E_z D(G(z))^2
        G minimizes  1/2 E_z (D(G(z)) - 1)^2

    Mao et al. 2017 (arXiv:1611.04076), eq. 9.
    """

    default_loss = LeastSquares
