"""Drawn, anime-like faces with tags, of any size, without a download."""

from __future__ import annotations

from typing import Any, Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from gan_lightning import rng
from gan_lightning.data.images import ImageData, Images, Labels, Split
from gan_lightning.data.synthetic.avatar_colors import GROUPS, OPTIONAL
from gan_lightning.data.synthetic.avatar_drawing import TRAITS, render
from gan_lightning.errors import UserError


class Avatars(ImageData):
    """Cartoon faces, tagged with the colors of hair and eyes, hair style, mouth, glasses and headwear.

    They look good from about 32 pixels. Further arguments are those of `ImageData`.

    Args:
        count: The number of training faces; the first ones are the same whatever the count.
        labeled_fraction: The part of them that keeps its tags, from 0 to 1.
        unlabeled: Whether the others are kept without tags, or dropped.
        drawing_seed: The seed of the faces.

    Raises:
        UserError: At setup, if `condition_dim`, count or labeled_fraction is out of range, or no face is left.
    """

    names = tuple(tag for group in GROUPS.values() for tag in group)

    def __init__(
        self,
        *arguments: Any,
        count: int = 10_000,
        labeled_fraction: float = 1.0,
        unlabeled: Literal["keep", "drop"] = "keep",
        drawing_seed: int = 0,
        **more: Any,
    ) -> None:
        super().__init__(*arguments, **more)
        self.count = count
        self.labeled_fraction = labeled_fraction
        self.unlabeled = unlabeled
        self.drawing_seed = drawing_seed

    def load(self, split: Split) -> tuple[Images, Labels]:
        if self.count < 1:
            raise UserError(f"data.count={self.count}: expected a whole number from 1")
        if split == "test":
            return self._faces(max(self.count // 5, 1), rng.mix("test", self.drawing_seed))
        kept = round(self.labeled_fraction * self.count)
        if not 0 <= self.labeled_fraction <= 1 or (kept == 0 and self.unlabeled == "drop"):
            problem = "expected a number from 0 to 1; with data.unlabeled=drop, one that keeps a face"
            raise UserError(f"data.labeled_fraction={self.labeled_fraction}: {problem}")
        tags, traits = sample_attributes(self.count, self.drawing_seed)
        labeled = rng.permutation(self.count, "labelled", self.drawing_seed) < kept
        if self.unlabeled == "drop":
            tags, traits, labeled = tags[labeled], traits[labeled], labeled[labeled]
        return render(tags, traits, self.image_shape[1:]), tags * labeled.unsqueeze(1)

    def labeled(self) -> tuple[Images, Labels]:
        """All training faces with their tags: `labeled_fraction` applies to the GAN, not to a classifier."""
        return self._faces(self.count, self.drawing_seed)

    def _faces(self, count: int, seed: int) -> tuple[Images, Labels]:
        tags, traits = sample_attributes(count, seed)
        return render(tags, traits, self.image_shape[1:]), tags


def sample_attributes(count: int, seed: int) -> tuple[UInt8[Tensor, "count tags"], Float[Tensor, "count traits"]]:
    """Samples the tags, as multi-hot rows, and the traits of `count` faces, in the order of `GROUPS` and `TRAITS`."""
    rolls = torch.rand(count, 2 * len(GROUPS) + len(TRAITS), generator=rng.generator("avatars", seed))
    tags = []
    for (name, group), roll, presence in zip(GROUPS.items(), rolls.T[::2], rolls.T[1::2], strict=False):
        one_hot = torch.eye(len(group), dtype=torch.uint8)[(roll * len(group)).long()]
        tags.append(one_hot * (presence < OPTIONAL.get(name, 1)).unsqueeze(1))
    low, high = torch.tensor(list(TRAITS.values())).T
    return torch.cat(tags, 1), torch.lerp(low, high, rolls[:, -len(TRAITS) :])
