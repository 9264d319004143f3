"""Augmentation before D beside the authors' code."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gan_lightning.losses import AdaptiveAugment, DiffAugment, StepOutput
from gan_lightning.losses import augmentation as ours
from tests.reference.recordings import Check, Difference, Recording, check, difference, gradient_difference

KIND = "augmentation"


def compare(recording: Recording, transform: Callable[..., Tensor]) -> Difference:
    images = recording["input"].requires_grad_()
    output = transform(images, *recording.group("random").values())
    weights = torch.cos(torch.arange(output.numel(), dtype=output.dtype)).view(output.shape)
    gradients = gradient_difference((weights * output).sum(), {"input": images}, {"input": recording["input_gradient"]})
    return Difference(difference([output], [recording["output"]]), gradients)


def color(images: Tensor, shift: Tensor, saturation: Tensor, contrast: Tensor) -> Tensor:
    return ours.contrast(ours.saturation(ours.brightness(images, shift - 0.5), 2 * saturation), contrast + 0.5)


def translation(images: Tensor, up: Tensor, left: Tensor) -> Tensor:
    return ours.translation(images, -up, -left)


def cutout(images: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """They draw the center of the rectangle."""
    height, width = (side // 2 for side in images.shape[2:])
    return ours.cutout(images, row - height // 2, column - width // 2, height, width)


def ada(recording: Recording) -> Difference:
    augment = AdaptiveAugment(DiffAugment(p=0.125), target=0.6, ada_images=400, every_n_batches=4).double()
    found = []
    for logits in recording["logits"]:
        augment.on_step_end(StepOutput(terms={}, logits={"real": logits}))
        found.append(augment.transforms.p.clone())
    return Difference(difference([torch.stack(found)], [recording["p"]]), None)


CHECKS: dict[str, Check] = {
    "color": lambda recording: compare(recording, color),
    "translation": lambda recording: compare(recording, translation),
    "cutout": lambda recording: compare(recording, cutout),
    "ada": ada,
}


@pytest.mark.parametrize("name", CHECKS)
def test_as_recorded(name):
    check(KIND, name, CHECKS[name])
