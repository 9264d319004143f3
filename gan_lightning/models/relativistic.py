"""The GAN whose discriminator compares each logit with the mean of the other kind."""

from gan_lightning.losses import RelativisticAverage
from gan_lightning.models.gan import GAN


class RelativisticGAN(GAN):
    """RaSGAN, with C the logits and s the sigmoid.

        D minimizes  -E_x log s(C(x) - E_z C(G(z))) - E_z log(1 - s(C(G(z)) - E_x C(x)))
        G minimizes  -E_z log s(C(G(z)) - E_x C(x)) - E_x log(1 - s(C(x) - E_z C(G(z))))

    Jolicoeur-Martineau 2018 (arXiv:1807.00734), section 4.2.
    """

    default_loss = RelativisticAverage
