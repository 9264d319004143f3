"""A folder of pictures whose top-level folders are classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from gan_lightning.data.datasets.own_pictures import OwnPictures
from gan_lightning.data.images import Labels, Split
from gan_lightning.data.io.folders import class_names, has_splits, list_pictures
from gan_lightning.data.io.sources import FolderPictures


class ImageFolder(OwnPictures):
    """The pictures of a folder, `root`, and of all folders below it; its top-level folders are the classes.

    If both train/ and test/ exist, they are the splits, and the classes are the folders in each. A picture outside the
    class folders is unlabeled. Arguments and errors are those of `OwnPictures`.
    """

    def condition_names(self) -> Sequence[str]:
        return class_names(self.root)

    def own_test(self) -> str | None:
        return "a folder test beside train" if has_splits(self.root) else None

    def open(self, split: Split) -> tuple[FolderPictures, Labels]:
        folder = Path(self.root, split) if has_splits(self.root) else Path(self.root)
        files = list_pictures(folder)
        number_of = {name: number for number, name in enumerate(self.condition_names())}
        labels = [number_of[file.split("/")[0]] if "/" in file else -1 for file in files]
        return FolderPictures(folder, files), torch.tensor(labels)
