"""The small networks whose hidden layer is the feature vector."""

from __future__ import annotations

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn


class ConvClassifier(nn.Module):
    """Three 3x3 convolutions with 16, 32 and 64 channels, pooled to 3x3; a layer of 128 features; logits."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.channels = channels
        self.features = nn.Sequential(
            *(nn.Conv2d(channels, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(3)),
            *(nn.Flatten(), nn.Linear(576, 128), nn.ReLU()),
        )
        self.head = nn.Linear(128, classes)

    def forward(
        self, images: UInt8[Tensor, "n channels height width"]
    ) -> tuple[Float[Tensor, "n 128"], Float[Tensor, "n classes"]]:
        vectors = self.features(images.float() / 127.5 - 1)
        return vectors, self.head(vectors)


class ByChannel(nn.Module):
    """Applies a classifier of gray images to each channel of an image.

    The features are concatenated, and each combination of the channels' classes is a class.
    """

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(
        self, images: UInt8[Tensor, "n channels height width"]
    ) -> tuple[Float[Tensor, "n dimensions"], Float[Tensor, "n classes"]]:
        vectors, logits = self.classifier(images.flatten(0, 1).unsqueeze(1))
        count, channels = images.shape[:2]
        # log p(a, b, c) = log p(a) + log p(b) + log p(c), the first channel's class in front.
        together = torch.zeros(count, 1, device=images.device)
        for of_channel in logits.log_softmax(1).unflatten(0, (count, channels)).unbind(1):
            together = (together.unsqueeze(2) + of_channel.unsqueeze(1)).flatten(1)
        return vectors.unflatten(0, (count, channels)).flatten(1), together


class WithoutClasses(nn.Module):
    """Returns only the features of a network whose logits are not class logits: they are tags, or untrained."""

    def __init__(self, network: ConvClassifier) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: UInt8[Tensor, "n channels height width"]) -> tuple[Float[Tensor, "n 128"], None]:
        return self.network(images)[0], None
