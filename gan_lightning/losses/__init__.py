"""What is minimized: adversarial losses, penalties, regularizers; and augmentation of what the discriminator sees."""

from gan_lightning.losses.augmentation import AdaptiveAugment, DiffAugment
from gan_lightning.losses.penalties import dragan, r1, r2, wgan_gp
from gan_lightning.losses.regularizers import LeCam

__all__ = ["AdaptiveAugment", "DiffAugment", "LeCam", "dragan", "r1", "r2", "wgan_gp"]
