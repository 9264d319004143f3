"""A folder of pictures whose top-level folders are classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from gan_lightning import rng
from gan_lightning.data.images import ImageData, Images, Labels, Split
from gan_lightning.data.io.decoding import decoded
from gan_lightning.data.io.folders import class_names, has_splits, list_pictures, none_aside
from gan_lightning.errors import UserError


class ImageFolder(ImageData):
    """The pictures of a folder and of all folders below it; its top-level folders are the classes.

    If both train/ and test/ exist, they are the splits, and the classes are the folders in each. A picture outside the
    class folders is unlabeled. Pictures are cropped to the proportions of `image_shape` and resized, once, into a
    memory-mapped file in the cache, which may be larger than the memory. They are in a fixed random order, so that
    `limit` selects from all classes. The folder is read once by each object. Further arguments are those of
    `ImageData`.

    Args:
        root: The folder.
        test_fraction: The part of the pictures that is the test split; 0 if there are train/ and test/.
        skip_bad: Whether pictures that cannot be decoded, or exceed Pillow's size limit, are left out.

    Raises:
        UserError: At setup, if there are no pictures, or bad ones; the message lists the bad ones.
    """

    def __init__(
        self, *arguments: Any, root: str, test_fraction: float = 0.0, skip_bad: bool = False, **more: Any
    ) -> None:
        super().__init__(*arguments, **more)
        self.root = root
        self.test_fraction = test_fraction
        self.skip_bad = skip_bad
        self._folders: dict[Path, tuple[Images, Labels, int]] = {}

    def condition_names(self) -> Sequence[str]:
        return class_names(self.root)

    def has_test(self) -> bool:
        return self.test_fraction > 0 or has_splits(self.root)

    def load(self, split: Split) -> tuple[Images, Labels]:
        split_folders = has_splits(self.root)
        if split_folders and self.test_fraction:
            raise UserError(
                f"data.test_fraction={self.test_fraction}: {self.root} has a folder test already, beside train; "
                "expected 0"
            )
        folder = Path(self.root, split) if split_folders else Path(self.root)
        if folder not in self._folders:
            self._folders[folder] = self._read(folder)
        images, labels, num_test = self._folders[folder]
        if split_folders:
            return images, labels
        if split == "test" and not num_test:
            raise none_aside(self.root, self.test_fraction)
        part = slice(num_test) if split == "test" else slice(num_test, None)  # a slice needs no copy of the mapped file
        return images[part], labels[part]

    def _read(self, folder: Path) -> tuple[Images, Labels, int]:
        """The pictures of a folder, their labels, and how many of them, the first ones, are the test split."""
        # Sorted by a hash of the names: a random order, and adding or removing files moves no other one between splits.
        hashed = sorted((rng.mix("folder", file), file) for file in list_pictures(folder))
        images, places = decoded(folder, [file for _, file in hashed], self.image_shape, self.skip_bad)
        kept = [hashed[place] for place in places.tolist()]
        shares = torch.tensor([number / 2**63 for number, _ in kept])
        return images, self._labels([file for _, file in kept]), int((shares < self.test_fraction).sum())

    def _labels(self, files: Sequence[str]) -> Int64[Tensor, " count"]:
        index_of = {name: index for index, name in enumerate(self.condition_names())}
        return torch.tensor([index_of[file.split("/")[0]] if "/" in file else -1 for file in files])
