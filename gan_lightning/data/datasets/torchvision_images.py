"""Data sets that torchvision downloads and reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import torch
from filelock import FileLock
from torchvision import datasets

from gan_lightning.data.images import ImageData, Images, Labels, Split
from gan_lightning.errors import UserError
from gan_lightning.files import socket_timeout


class TorchvisionImages(ImageData):
    """A data set that torchvision downloads on first use and reads.

    A subclass sets torchvision's class and describes its files. It overrides `open` if that class has no argument
    `train`, and `load` if it has no array of pixels. Further arguments are those of `ImageData`.

    Args:
        root: The folder that contains the data set's folder.
        download: Whether missing files are downloaded.

    Raises:
        UserError: In `prepare_data`, if files are missing and cannot be downloaded.
    """

    source: ClassVar[type[Any]]
    """The class in torchvision."""
    folder: ClassVar[str]
    """The folder of the files in `root`."""
    files: ClassVar[str]
    """A description of the files, for messages."""
    remedy: ClassVar[str] = "connect to the network once"
    """Another way to get the files, for messages."""
    DOWNLOAD_TIMEOUT = 10.0  # seconds without data; torchvision itself has no timeout

    def __init__(self, *arguments: Any, root: str = "data", download: bool = True, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.root = root
        self.download = download

    def open(self, split: Split, download: bool = False) -> Any:
        """Opens torchvision's data set; raises a RuntimeError if files are missing."""
        return self.source(self.root, train=split == "train", download=download)

    def load(self, split: Split) -> tuple[Images, Labels]:
        opened = self.open(split)
        images, labels = torch.as_tensor(opened.data), torch.as_tensor(opened.targets)
        return images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2), labels

    def prepare_data(self) -> None:
        try:
            self.open("train")
        except RuntimeError:
            self._fetch()

    def _fetch(self) -> None:
        name, problem = self.source.__name__, "data.download is false"
        if self.download:
            try:
                Path(self.root).mkdir(parents=True, exist_ok=True)
                lock = FileLock(Path(self.root, f".{name}.lock"))  # several processes may download at once
                with lock, socket_timeout(self.DOWNLOAD_TIMEOUT):
                    self.open("train", download=True)
                return
            except (OSError, RuntimeError) as error:
                problem = f"the download failed ({error})".replace("\n", " ")
        raise UserError(
            f"{name} is not in {Path(self.root, self.folder).absolute()}, and {problem}. Set data.root to a folder "
            f"that contains {self.files}, or {self.remedy}, or train on data=digits, which needs no files"
        )


class FashionMNIST(TorchvisionImages):
    """60,000 articles of clothing and 10,000 to test, gray 28x28: Xiao et al. 2017 (arXiv:1708.07747)."""

    source = datasets.FashionMNIST
    folder = "FashionMNIST/raw"
    files = "FashionMNIST/raw/train-images-idx3-ubyte and its three companions"
    names = datasets.FashionMNIST.classes


class KMNIST(TorchvisionImages):
    """60,000 cursive hiragana and 10,000 to test, gray 28x28: Clanuwat et al. 2018 (arXiv:1812.01718)."""

    source = datasets.KMNIST
    folder = "KMNIST/raw"
    files = "KMNIST/raw/train-images-idx3-ubyte and its three companions"
    names = datasets.KMNIST.classes


class CIFAR10(TorchvisionImages):
    """50,000 photographs of ten kinds of things and 10,000 to test, color 32x32: Krizhevsky 2009."""

    source = datasets.CIFAR10
    folder = "cifar-10-batches-py"
    files = "cifar-10-batches-py/, unpacked from cifar-10-python.tar.gz"
    names = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
