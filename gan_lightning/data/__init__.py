"""LightningDataModules: what is learned from."""

from gan_lightning.data.digits import Digits
from gan_lightning.data.images import ImageData
from gan_lightning.data.mnist import MNIST

__all__ = ["MNIST", "Digits", "ImageData"]
