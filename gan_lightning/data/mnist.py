"""MNIST, through torchvision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from filelock import FileLock
from torchvision import datasets

from gan_lightning.data.images import ImageData, Images, Labels, Split
from gan_lightning.errors import UserError
from gan_lightning.files import answering_within


class MNIST(ImageData):
    """60,000 handwritten digits and 10,000 to test, grey 28x28 (LeCun et al. 1998), downloaded on first use.

    Further arguments as of `ImageData`.

    Args:
        root: the folder that holds, or shall hold, MNIST/raw/.
        download: whether to fetch what is missing.

    Raises:
        UserError: the files are missing and cannot be had.
    """

    classifier = "mnist"
    DOWNLOAD_TIMEOUT = 10.0  # seconds without an answer; torchvision itself waits for ever

    def __init__(self, *arguments: Any, root: str = "data", download: bool = True, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.root = root
        self.download = download

    def prepare_data(self) -> None:
        try:
            datasets.MNIST(self.root)
        except RuntimeError:
            self._fetch()

    def _fetch(self) -> None:
        problem = "data.download is false"
        if self.download:
            try:
                Path(self.root).mkdir(parents=True, exist_ok=True)
                lock = FileLock(Path(self.root, ".MNIST.lock"))  # several processes may want it at once
                with lock, answering_within(self.DOWNLOAD_TIMEOUT):
                    datasets.MNIST(self.root, download=True)
                return
            except (OSError, RuntimeError) as error:
                problem = f"the download failed ({error})".replace("\n", " ")
        raise UserError(
            f"MNIST is not in {Path(self.root, 'MNIST', 'raw').absolute()}, and {problem}. Set data.root to a "
            "folder that holds MNIST/raw/train-images-idx3-ubyte and its three companions, or connect to the "
            "network once, or train on data=digits, which needs no files"
        )

    def load(self, split: Split) -> tuple[Images, Labels]:
        mnist = datasets.MNIST(self.root, train=split == "train")
        return mnist.data.unsqueeze(1), mnist.targets
