"""The augmentation pipeline beside NVlabs' code: the same random numbers give the same pixels and gradients."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from gan_lightning.losses import AugmentPipeline

RECORDED = load_file(Path(__file__).with_name("ada_pipeline.safetensors"))
COLORS = ("brightness", "contrast", "lumaflip", "hue", "saturation")
OF_R3GAN = {name: 0.5 if name in COLORS else 1.0 for name in AugmentPipeline().strengths}


@pytest.mark.parametrize(
    ("case", "p", "strengths"), [("rgb", 0.8, None), ("gray", 0.9, None), ("r3gan", 0.55, OF_R3GAN)]
)
def test_the_pipeline_is_nvlabs(monkeypatch, case, p, strengths):
    numbers = RECORDED[f"{case}.numbers"]

    def replay(size, **_):
        nonlocal numbers
        count = torch.Size([size] if isinstance(size, int) else size).numel()
        taken, numbers = numbers[:count].view(size), numbers[count:]
        return taken

    monkeypatch.setattr(torch, "rand", replay)
    monkeypatch.setattr(torch, "randn", replay)
    images = RECORDED[f"{case}.images"].requires_grad_(True)
    augment = AugmentPipeline(strengths=strengths)
    augment.p = torch.tensor(p, dtype=torch.float64)
    augmented = augment(images)
    assert len(numbers) == 0
    weights = torch.linspace(-1, 1, augmented[0].numel(), dtype=torch.float64).view_as(augmented[0])
    gradient = torch.autograd.grad((augmented**3 * weights).sum(), images, create_graph=True)[0]
    second = torch.autograd.grad(gradient.square().sum(), images)[0]
    for name, found in (("augmented", augmented), ("gradient", gradient), ("second", second)):
        torch.testing.assert_close(found, RECORDED[f"{case}.{name}"], rtol=1e-11, atol=1e-11)
