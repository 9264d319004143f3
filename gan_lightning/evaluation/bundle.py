"""Trains the bundled classifiers again: `python -m gan_lightning.evaluation.bundle --root path/to/data`."""

from __future__ import annotations

import argparse

from gan_lightning.data import MNIST, Digits, ImageData
from gan_lightning.evaluation import classifier_training
from gan_lightning.evaluation.classifier import WEIGHTS
from gan_lightning.tensor_file import save_tensors

IMAGES_SEEN = 1_000_000


def bundle(data: ImageData) -> float:
    """Trains on the training split and writes the weights; returns the accuracy on the test images, from 0 to 1."""
    assert data.classifier is not None
    data.prepare_data()
    network = classifier_training.fit(*data.split("train"), data.condition_dim, data.classifier, IMAGES_SEEN)
    accuracy = classifier_training.accuracy(network, *data.split("test"))
    path = WEIGHTS / f"{data.classifier}.safetensors"
    save_tensors(network.state_dict(), path, {"test_accuracy": f"{accuracy:.4f}"})
    return accuracy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", default="data", help="the folder that contains MNIST/raw/ (default: data)")
    root = parser.parse_args().root
    for data in (Digits([1, 28, 28]), MNIST([1, 28, 28], root=root)):
        print(f"{data.classifier}: accuracy {bundle(data):.2%} on the test images")


if __name__ == "__main__":
    main()
