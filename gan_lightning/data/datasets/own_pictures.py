"""The base class of a user's own pictures with classes."""

from __future__ import annotations

from typing import Any

import torch

from gan_lightning import rng
from gan_lightning.data.images import ImageData, Images, Labels, Split
from gan_lightning.data.io.decoding import decoded
from gan_lightning.data.io.folders import none_aside
from gan_lightning.data.io.sources import PictureSource
from gan_lightning.errors import UserError


class OwnPictures(ImageData):
    """Pictures of one's own, decoded once into a memory-mapped file in the cache, which may exceed the memory.

    They are cropped to the proportions of `image_shape` and resized. They are in a fixed random order, so that `limit`
    selects from all classes. They are listed once by each object. Further arguments are those of `ImageData`.

    A subclass says whether the pictures have splits of their own, and opens them.

    Args:
        root: Where the pictures are.
        test_fraction: The part of the pictures that is the test split; 0 if there is one already.
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
        self._read: dict[Split, tuple[Images, Labels, int]] = {}

    def own_test(self) -> str | None:
        """What the test split of the pictures is called, for messages; None if they have none of their own."""
        raise NotImplementedError

    def open(self, split: Split) -> tuple[PictureSource, Labels]:
        """The pictures of a split, encoded, and their labels; all pictures if there is no test split."""
        raise NotImplementedError

    def has_test(self) -> bool:
        return self.test_fraction > 0 or self.own_test() is not None

    def load(self, split: Split) -> tuple[Images, Labels]:
        own = self.own_test()
        if own and self.test_fraction:
            raise UserError(f"data.test_fraction={self.test_fraction}: {self.root} has {own} already; expected 0")
        part: Split = split if own else "train"
        if part not in self._read:
            self._read[part] = self._decoded(part)
        images, labels, num_test = self._read[part]
        if own:
            return images, labels
        if split == "test" and not num_test:
            raise none_aside(self.root, self.test_fraction)
        # A slice needs no copy of the mapped file.
        rows = slice(num_test) if split == "test" else slice(num_test, None)
        return images[rows], labels[rows]

    def _decoded(self, split: Split) -> tuple[Images, Labels, int]:
        """The pictures, their labels, and how many of them, the first ones, are the test split."""
        source, labels = self.open(split)
        # Sorted by a hash of the names: a random order, and adding or removing files moves no other one between splits.
        hashed = sorted((rng.mix("folder", name), number) for number, name in enumerate(source.names))
        order = [number for _, number in hashed]
        images, places = decoded(source.reordered(order), self.image_shape, self.skip_bad)
        shares = torch.tensor([number / 2**63 for number, _ in hashed])[places]
        return images, labels[torch.tensor(order)[places]], int((shares < self.test_fraction).sum())
