"""LightningModules: what is optimized, and how."""

from gan_lightning.models.auxiliary import ACGAN, InfoGAN
from gan_lightning.models.began import BEGAN
from gan_lightning.models.classic import LSGAN, HingeGAN, MinimaxGAN
from gan_lightning.models.density_matching import DensityMatchingGAN
from gan_lightning.models.gan import GAN
from gan_lightning.models.matching_aware import MatchingAwareGAN
from gan_lightning.models.relativistic import R3GAN, RelativisticAverageGAN
from gan_lightning.models.simultaneous import SimultaneousGAN
from gan_lightning.models.spectral import SNGAN
from gan_lightning.models.wasserstein import WGAN

__all__ = [
    "ACGAN",
    "BEGAN",
    "GAN",
    "LSGAN",
    "R3GAN",
    "SNGAN",
    "WGAN",
    "DensityMatchingGAN",
    "HingeGAN",
    "InfoGAN",
    "MatchingAwareGAN",
    "MinimaxGAN",
    "RelativisticAverageGAN",
    "SimultaneousGAN",
]
