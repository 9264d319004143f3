"""A folder of pictures, with a table of their tags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch

from gan_lightning import rng
from gan_lightning.data.images import ImageData, Images, Labels, Split
from gan_lightning.data.io.decoding import decoded
from gan_lightning.data.io.folders import none_aside
from gan_lightning.data.io.sources import FolderPictures
from gan_lightning.data.io.tags import read_tags, tag_names


class TaggedImages(ImageData):
    """The pictures of a folder, with the tags that its tags.csv gives them.

    The table has the columns file,tags; a text such as "1girl, blue hair, very long hair" gives the tags "blue hair"
    and "long hair". Pictures without a row, or without a tag in their text, are unlabeled.

    Pictures are cropped to the proportions of `image_shape` and resized, once, into a memory-mapped file in the cache.
    Further arguments are those of `ImageData`.

    Args:
        root: The folder.
        nouns: Each of these words forms a tag with the word before it.
        unlabeled: Whether pictures without a tag are kept or dropped.
        test_fraction: The part of the pictures that is the test split.

    Raises:
        UserError: At setup, if the table or pictures are missing or wrong; the message lists every bad row or picture.
    """

    def __init__(
        self,
        *arguments: Any,
        root: str,
        nouns: list[str] | tuple[str, ...] = ("hair", "eyes"),
        unlabeled: Literal["keep", "drop"] = "keep",
        test_fraction: float = 0.0,
        **more: Any,
    ) -> None:
        super().__init__(*arguments, **more)
        self.root = root
        self.nouns = nouns
        self.unlabeled = unlabeled
        self.test_fraction = test_fraction

    def condition_names(self) -> Sequence[str]:
        return tag_names(self.root, self.nouns)

    def has_test(self) -> bool:
        return self.test_fraction > 0

    def load(self, split: Split) -> tuple[Images, Labels]:
        tags = read_tags(self.root, self.nouns)
        if self.unlabeled == "drop":
            tags = {file: found for file, found in tags.items() if found}
        tags = self._of_split(tags, split)
        names = self.condition_names()
        labels = torch.tensor([[name in found for name in names] for found in tags.values()], dtype=torch.uint8)
        images, _ = decoded(FolderPictures(self.root, list(tags)), (3, *self.image_shape[1:]))
        return images, labels

    def _of_split(self, tags: dict[str, list[str]], split: Split) -> dict[str, list[str]]:
        """The rows of one split: a hash of the name decides, so that pictures can be added or removed."""
        aside = {file for file in tags if rng.mix("test", file) / 2**63 < self.test_fraction}
        if split == "test" and not aside:
            raise none_aside(self.root, self.test_fraction)
        return {file: found for file, found in tags.items() if (file in aside) == (split == "test")}
