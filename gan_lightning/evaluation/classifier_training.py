"""Training of the small classifiers."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, pad
from tqdm.auto import tqdm

from gan_lightning import rng
from gan_lightning.data.images import Images, Labels
from gan_lightning.evaluation.classifier_network import ConvClassifier

BATCH = 128


def fit(images: Images, labels: Labels, classes: int, title: str, images_seen: int) -> ConvClassifier:
    """Trains a classifier of these images and returns it in eval mode; on one thread, so that it is reproducible.

    It uses Adam, one cycle of the learning rate up to 2e-3, and batches shifted by up to two pixels. The loss is
    cross-entropy for classes and binary cross-entropy for tags.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        network = ConvClassifier(images.shape[1], classes)
    with _one_thread():
        _train(network, images, labels, title, images_seen)
    return network.eval().requires_grad_(False)


def _train(network: ConvClassifier, images: Images, labels: Labels, title: str, images_seen: int) -> None:
    optimizer = torch.optim.Adam(network.parameters(), weight_decay=1e-5)
    batch_size = min(BATCH, len(images))
    steps = math.ceil(images_seen / batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-3, total_steps=steps)
    per_epoch = len(images) // batch_size
    for step in tqdm(range(steps), desc=title, leave=False, disable=None):
        epoch, index = divmod(step, per_epoch)
        if index == 0:
            order = rng.permutation(len(images), "classifier", epoch)
        rows = order[index * batch_size :][:batch_size]
        _, logits = network(_shifted(images[rows], step))
        loss = _loss(logits, labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _shifted(images: Images, step: int) -> Images:
    down, right = torch.randint(5, (2,), generator=rng.generator("shift", step)).tolist()
    height, width = images.shape[2:]
    padded = pad(images.float(), (2, 2, 2, 2), mode="replicate").to(torch.uint8)
    return padded[:, :, down : down + height, right : right + width]


def _loss(logits: Tensor, labels: Tensor) -> Tensor:
    if labels.ndim == 2:
        return binary_cross_entropy_with_logits(logits, labels.float())
    return cross_entropy(logits, labels)


def accuracy(network: ConvClassifier, images: Images, labels: Labels) -> float:
    """The fraction of images that the network classifies correctly."""
    with torch.inference_mode():
        right = [
            network(batch)[1].argmax(1) == truth
            for batch, truth in zip(images.split(500), labels.split(500), strict=True)
        ]
    return torch.cat(right).float().mean().item()
