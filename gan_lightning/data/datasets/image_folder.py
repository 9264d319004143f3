"""A folder of pictures, with a class for each folder at its top."""

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
    """The pictures of a folder and of all folders below it; those at the top are classes.

    Where both train/ and test/ are at the top, they are the splits, and the classes are at the top of each. A picture
    that is in no class folder is not labeled. Pictures are cropped to the proportions of `image_shape` and resized,
    once, into a file in the cache that is mapped into memory: there may be more of them than memory. They come in a
    fixed, mixed order, so that `limit` takes some of every class. Further arguments are those of `ImageData`.

    Args:
        root: The folder.
        test_fraction: The part of the pictures that is put aside for evaluation; 0 where there are train/ and test/.
        skip_bad: Whether pictures that cannot be decoded, or are larger than Pillow takes to be safe, are left out.

    Raises:
        UserError: At setup, if there are no pictures, or bad ones, all of which are named.
    """

    def __init__(
        self, *arguments: Any, root: str, test_fraction: float = 0.0, skip_bad: bool = False, **more: Any
    ) -> None:
        super().__init__(*arguments, **more)
        self.root = root
        self.test_fraction = test_fraction
        self.skip_bad = skip_bad

    def condition_names(self) -> Sequence[str]:
        return class_names(self.root)

    def load(self, split: Split) -> tuple[Images, Labels]:
        apart = has_splits(self.root)
        if apart and self.test_fraction:
            raise UserError(
                f"data.test_fraction={self.test_fraction}: {self.root} has a folder test already, beside train; "
                "expected 0"
            )
        folder = Path(self.root, split) if apart else Path(self.root)
        # By a hash of their names: mixed, and what comes or goes later moves none from one split to the other.
        files = sorted(list_pictures(folder), key=lambda file: rng.mix("folder", file))
        images, places = decoded(folder, files, self.image_shape, self.skip_bad)
        labels = self._labels([files[place] for place in places.tolist()])
        if apart:
            return images, labels
        shares = torch.tensor([rng.mix("folder", files[place]) / 2**63 for place in places.tolist()])
        aside = int((shares < self.test_fraction).sum())
        if split == "test" and not aside:
            raise none_aside(self.root, self.test_fraction)
        part = slice(aside) if split == "test" else slice(aside, None)  # a slice maps the same file
        return images[part], labels[part]

    def _labels(self, files: Sequence[str]) -> Int64[Tensor, " count"]:
        index_of = {name: index for index, name in enumerate(self.condition_names())}
        return torch.tensor([index_of[file.split("/")[0]] if "/" in file else -1 for file in files])
