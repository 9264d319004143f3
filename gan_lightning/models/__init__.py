"""LightningModules: what is optimised."""

from gan_lightning.models.gan import GAN

__all__ = ["GAN"]
