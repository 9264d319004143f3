"""Features of an untrained network."""

from __future__ import annotations

import torch
from torch import nn

from gan_lightning import rng
from gan_lightning.data.images import ImageData
from gan_lightning.evaluation.classifier_network import ConvClassifier, WithoutClasses
from gan_lightning.evaluation.features import Extractor


class Random(Extractor):
    """The network of `Classifier` with random weights, for any images, labeled or not: fast and rough, for trials.

    Args:
        seed: The seed of the weights.
    """

    name = "random"
    LARGEST = 32

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed

    def load(self, data: ImageData) -> tuple[nn.Module, tuple[int, ...]]:
        channels, *size = data.image_shape
        with torch.random.fork_rng(devices=[]):
            rng.seed_defaults(torch.device("cpu"), "random features", self.seed)
            network = WithoutClasses(ConvClassifier(channels, 1))
        return network.eval().requires_grad_(False), (channels, *(min(side, self.LARGEST) for side in size))
