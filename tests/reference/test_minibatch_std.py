"""Minibatch standard deviation beside NVlabs' code, with first and second derivatives, in float64."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from gan_lightning.networks import MinibatchStd

RECORDED = load_file(Path(__file__).with_name("minibatch_std.safetensors"))


@pytest.mark.parametrize(("group_size", "num_channels"), [(4, 1), (2, 3), (None, 2)])
def test_the_layer_is_nvlabs(group_size, num_channels):
    images = RECORDED["images"].requires_grad_(True)
    output = MinibatchStd(group_size, num_channels)(images)
    weights = torch.linspace(-1, 1, output.numel(), dtype=torch.float64).view_as(output)
    gradient = torch.autograd.grad((output**2 * weights).sum(), images, create_graph=True)[0]
    second = torch.autograd.grad(gradient.square().sum(), images)[0]
    added = output[:, 6:]
    assert torch.equal(output[:, :6], images)
    assert torch.equal(added, added[:, :, :1, :1].expand_as(added))
    for name, found in (("output", added[:, :, 0, 0]), ("gradient", gradient), ("second", second)):
        expected = RECORDED[f"{group_size or 'batch'}_{num_channels}.{name}"]
        torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-11)
