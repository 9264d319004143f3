"""The digits that scikit-learn carries: nothing is downloaded."""

from __future__ import annotations

import torch
from sklearn.datasets import load_digits

from gan_lightning.data.images import ImageData, Images, Labels


class Digits(ImageData):
    """1,797 handwritten digits, grey 8x8, from the UCI optical recognition set."""

    def load(self) -> tuple[Images, Labels]:
        digits = load_digits()
        images = torch.from_numpy(digits.images) * (255 / 16)
        return images.round().to(torch.uint8).unsqueeze(1), torch.from_numpy(digits.target).long()
