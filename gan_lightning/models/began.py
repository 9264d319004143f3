"""The GAN whose discriminator is an autoencoder."""

from gan_lightning.losses import BoundaryEquilibrium
from gan_lightning.models.gan import GAN


class BEGAN(GAN):
    """Boundary-equilibrium GAN: Berthelot et al. 2017 (arXiv:1703.10717), section 3.4.

        D minimizes  L(x) - k L(G(z_D)),  G minimizes  L(G(z_G)),  k <- k + lambda_k (gamma L(x) - L(G(z_G)))

    L is the reconstruction error of the autoencoder D, whose logit is -L (`network=began`, or `autoencoder` for
    samples that are not images). The paper samples z from U(-1, 1), this class from N(0, 1).
    """

    default_loss = BoundaryEquilibrium
