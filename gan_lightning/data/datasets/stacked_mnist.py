"""Stacked MNIST: a data set with 1,000 modes that can be counted."""

from __future__ import annotations

from typing import Any

import torch

from gan_lightning import rng
from gan_lightning.data.datasets.mnist import MNIST
from gan_lightning.data.images import Images, Labels, Split, numbered


class StackedMNIST(MNIST):
    """Three digits of MNIST as the three channels of one picture: Metz et al. 2017 (arXiv:1611.02163), section 3.3.1.

    Class 427 shows a 4 in the first channel, a 2 in the second, a 7 in the third; all 1,000 are
    about equally likely, as the digits are. Further arguments are those of `MNIST`.

    Args:
        count: The number of training pictures.
        test_count: The number of test pictures, which are made of MNIST's test digits.
        stacking_seed: The seed of the choice of digits.
    """

    stacked = True
    names = numbered(1000)

    def __init__(
        self, *arguments: Any, count: int = 60_000, test_count: int = 26_000, stacking_seed: int = 0, **more: Any
    ) -> None:
        super().__init__(*arguments, **more)
        self.counts = {"train": count, "test": test_count}
        self.stacking_seed = stacking_seed

    def load(self, split: Split) -> tuple[Images, Labels]:
        digits, classes = super().load(split)
        generator = rng.generator("stacks", split, self.stacking_seed)
        picks = torch.randint(len(digits), (self.counts[split], 3), generator=generator)
        return digits[picks].squeeze(2), classes[picks] @ torch.tensor([100, 10, 1])
