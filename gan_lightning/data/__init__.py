"""LightningDataModules: what is learned from."""

from gan_lightning.data.avatars import Avatars
from gan_lightning.data.celeba import CelebA
from gan_lightning.data.digits import Digits
from gan_lightning.data.draws import DrawnData
from gan_lightning.data.gaussian import Gaussian1D
from gan_lightning.data.gaussians_2d import Gaussians2D
from gan_lightning.data.image_folder import ImageFolder
from gan_lightning.data.images import ImageData
from gan_lightning.data.mnist import MNIST
from gan_lightning.data.stacked_mnist import StackedMNIST
from gan_lightning.data.tagged_images import TaggedImages
from gan_lightning.data.torchvision_images import CIFAR10, KMNIST, FashionMNIST

__all__ = [
    "CIFAR10",
    "KMNIST",
    "MNIST",
    "Avatars",
    "CelebA",
    "Digits",
    "DrawnData",
    "FashionMNIST",
    "Gaussian1D",
    "Gaussians2D",
    "ImageData",
    "ImageFolder",
    "StackedMNIST",
    "TaggedImages",
]
