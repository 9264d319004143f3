"""LightningModules: the training step, its phases, latent sampling, and the GAN variants."""

from gan_lightning.models.acgan import ACGAN
from gan_lightning.models.began import BEGAN
from gan_lightning.models.biggan import BigGAN
from gan_lightning.models.contragan import ContraGAN
from gan_lightning.models.density_matching import DensityMatchingGAN
from gan_lightning.models.feature_matching import FeatureMatchingGAN
from gan_lightning.models.gan import GAN
from gan_lightning.models.hinge import HingeGAN
from gan_lightning.models.infogan import InfoGAN
from gan_lightning.models.lsgan import LSGAN
from gan_lightning.models.matching_aware import MatchingAwareGAN
from gan_lightning.models.minimax import MinimaxGAN
from gan_lightning.models.phases import alternating, critic_warmup, simultaneous
from gan_lightning.models.r3gan import R3GAN
from gan_lightning.models.reacgan import ReACGAN
from gan_lightning.models.relativistic import RelativisticGAN
from gan_lightning.models.san import SAN
from gan_lightning.models.simultaneous_gan import SimultaneousGAN
from gan_lightning.models.sngan import SNGAN, spectrally_normalized
from gan_lightning.models.wgan import WGAN
from gan_lightning.models.zcr import ZCRGAN

__all__ = [
    "ACGAN",
    "BEGAN",
    "GAN",
    "LSGAN",
    "R3GAN",
    "SAN",
    "SNGAN",
    "WGAN",
    "ZCRGAN",
    "BigGAN",
    "ContraGAN",
    "DensityMatchingGAN",
    "FeatureMatchingGAN",
    "HingeGAN",
    "InfoGAN",
    "MatchingAwareGAN",
    "MinimaxGAN",
    "ReACGAN",
    "RelativisticGAN",
    "SimultaneousGAN",
    "alternating",
    "critic_warmup",
    "simultaneous",
    "spectrally_normalized",
]
