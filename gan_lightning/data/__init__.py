"""LightningDataModules: what is learned from."""

from gan_lightning.data.avatars import Avatars
from gan_lightning.data.digits import Digits
from gan_lightning.data.draws import DrawnData
from gan_lightning.data.gaussian import Gaussian1D
from gan_lightning.data.images import ImageData
from gan_lightning.data.mnist import MNIST
from gan_lightning.data.stacked_mnist import StackedMNIST
from gan_lightning.data.tagged_images import TaggedImages

__all__ = ["MNIST", "Avatars", "Digits", "DrawnData", "Gaussian1D", "ImageData", "StackedMNIST", "TaggedImages"]
