"""MNIST, through torchvision."""

from __future__ import annotations

from torchvision import datasets

from gan_lightning.data.datasets.torchvision_images import TorchvisionImages
from gan_lightning.data.images import numbered


class MNIST(TorchvisionImages):
    """60,000 handwritten digits and 10,000 to test, gray 28x28 (LeCun et al. 1998)."""

    classifier = "mnist"
    source = datasets.MNIST
    folder = "MNIST/raw"
    files = "MNIST/raw/train-images-idx3-ubyte and its three companions"
    names = numbered(10)
