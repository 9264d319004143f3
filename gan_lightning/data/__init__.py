"""The data modules; their batches are (samples, labels)."""

from gan_lightning.data.datasets.celeba import CelebA
from gan_lightning.data.datasets.digits import Digits
from gan_lightning.data.datasets.huggingface import HuggingFace
from gan_lightning.data.datasets.image_folder import ImageFolder
from gan_lightning.data.datasets.mnist import MNIST
from gan_lightning.data.datasets.stacked_mnist import StackedMNIST
from gan_lightning.data.datasets.tagged_images import TaggedImages
from gan_lightning.data.datasets.torchvision_images import CIFAR10, KMNIST, FashionMNIST
from gan_lightning.data.images import ImageData
from gan_lightning.data.synthetic.avatars import Avatars
from gan_lightning.data.synthetic.base import SyntheticData
from gan_lightning.data.synthetic.dirac import Dirac
from gan_lightning.data.synthetic.gaussian_1d import Gaussian1D
from gan_lightning.data.synthetic.gaussians_2d import Gaussians2D

__all__ = [
    "CIFAR10",
    "KMNIST",
    "MNIST",
    "Avatars",
    "CelebA",
    "Digits",
    "Dirac",
    "FashionMNIST",
    "Gaussian1D",
    "Gaussians2D",
    "HuggingFace",
    "ImageData",
    "ImageFolder",
    "StackedMNIST",
    "SyntheticData",
    "TaggedImages",
]
