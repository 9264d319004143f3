"""LightningModules: what is optimised."""

from gan_lightning.models.density_matching import DensityMatchingGAN
from gan_lightning.models.gan import GAN
from gan_lightning.models.matching_aware import MatchingAwareGAN
from gan_lightning.models.simultaneous import SimultaneousGAN

__all__ = ["GAN", "DensityMatchingGAN", "MatchingAwareGAN", "SimultaneousGAN"]
