"""The digits of scikit-learn, without a download."""

from __future__ import annotations

import torch

from gan_lightning import rng
from gan_lightning.data.images import ImageData, Images, Labels, Split, numbered


class Digits(ImageData):
    """1,797 handwritten digits, gray 8x8, from the UCI optical recognition set: 1,437 to train on, 360 to test."""

    classifier = "digits"
    names = numbered(10)
    TEST = 360

    def load(self, split: Split) -> tuple[Images, Labels]:
        from sklearn.datasets import load_digits  # a slow import, which other data does without

        digits = load_digits()
        images = torch.from_numpy(digits.images) * (255 / 16)
        labels = torch.from_numpy(digits.target).long()
        mixed = rng.permutation(len(labels), "digits")  # scikit-learn sorts them by writer
        chosen = mixed[self.TEST :] if split == "train" else mixed[: self.TEST]
        return images.round().to(torch.uint8).unsqueeze(1)[chosen], labels[chosen]
