"""Features of a small classifier that is trained on the labels of the data set; its classes also count the modes."""

from __future__ import annotations

import functools
import inspect
from pathlib import Path

import torch
from torch import Tensor, nn

from gan_lightning.data.images import ImageData, Images, fit_to
from gan_lightning.errors import UserError
from gan_lightning.evaluation import classifier_network, classifier_training
from gan_lightning.evaluation.cache import cached, cached_digest
from gan_lightning.evaluation.classifier_network import ByChannel, ConvClassifier, WithoutClasses
from gan_lightning.evaluation.features import PROTOCOL, Extractor
from gan_lightning.tensor_file import digest_of, load_tensors

WEIGHTS = Path(__file__).parent / "weights"


class Classifier(Extractor):
    """A classifier of the labels of the data set.

    For digits and MNIST it is bundled. For other labeled data it is trained on first use, at 32 pixels or less, and
    stored in the cache under a hash of the images, the labels and the code.
    """

    name = "classifier"
    LARGEST = 32
    IMAGES_SEEN = 150_000

    def load(self, data: ImageData) -> tuple[nn.Module, tuple[int, ...]]:
        if data.classifier is not None:
            network = read(WEIGHTS / f"{data.classifier}.safetensors")
            if data.stacked:
                return ByChannel(network).eval(), (data.image_shape[0], 28, 28)
            return network, (network.channels, 28, 28)
        channels, *size = data.image_shape
        input_shape = (channels, *(min(side, self.LARGEST) for side in size))
        return self._trained(data, input_shape), input_shape

    def _trained(self, data: ImageData, input_shape: tuple[int, ...]) -> nn.Module:
        """The classifier of data without a bundled one, from the cache or trained now."""
        images, labels = data.labeled()
        if len(labels) == 0:
            raise UserError(
                f"{data.title} has no labels to train a classifier on. Choose another extractor: inception, or random"
            )
        code = "".join(inspect.getsource(module) for module in (classifier_network, classifier_training))
        facts = f"{data.condition_dim} {self.IMAGES_SEEN} {code}".encode()

        @functools.cache
        def fitted() -> Images:
            return fit_to(images, input_shape)

        resizing = f"{input_shape} torch {torch.__version__} protocol {PROTOCOL}".encode()
        key = cached_digest(lambda: digest_of(fitted(), labels, facts), images, labels, facts, resizing)

        def train() -> tuple[dict[str, Tensor], dict[str, str]]:
            title = f"training a classifier of {data.title}"
            network = classifier_training.fit(fitted(), labels, data.condition_dim, title, self.IMAGES_SEEN)
            return network.state_dict(), {}

        network = _network(cached(f"classifier_{key}", train)[0])
        return WithoutClasses(network).eval() if labels.ndim == 2 else network


def read(path: Path) -> ConvClassifier:
    """Returns a classifier from its file, in eval mode; the weights' shapes give the channels and classes."""
    return _network(load_tensors(path)[0])


def _network(weights: dict[str, Tensor]) -> ConvClassifier:
    network = ConvClassifier(weights["features.0.weight"].shape[1], len(weights["head.bias"]))
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)
