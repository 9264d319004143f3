"""Grouped convolution with grouped second derivatives: exact, and as many calls for many groups as for one."""

from collections import Counter

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.nn.functional import conv2d
from torch.utils._python_dispatch import TorchDispatchMode

from gan_lightning.networks import R3GANDiscriminator
from gan_lightning.networks.grouped_conv import Geometry, GroupedConv2d, grouped_conv2d

GEOMETRIES = [Geometry(1, 1, 3), Geometry(2, 1, 2), Geometry(1, 0, 6), Geometry(2, 0, 1)]


def tensors(geometry, dtype=torch.float64):
    torch.manual_seed(0)
    x, weight, bias = torch.randn(1, 6, 4, 3), torch.randn(6, 6 // geometry.groups, 3, 2), torch.randn(6)
    return [tensor.to(dtype).requires_grad_() for tensor in (x, weight, bias)]


@pytest.mark.parametrize(
    "geometry", [GEOMETRIES[0], *(pytest.param(g, marks=pytest.mark.slow) for g in GEOMETRIES[1:])]
)
def test_first_and_second_derivatives_against_differences(geometry):
    def function(x, weight, bias):
        return grouped_conv2d(x, weight, bias, geometry)

    assert gradcheck(function, tensors(geometry))
    assert gradgradcheck(function, tensors(geometry))


def derivatives(convolve, x, weight, bias):
    """Those of a loss with R1."""
    output = convolve(x, weight, bias).tanh()
    (slope,) = torch.autograd.grad(output.sum(), x, create_graph=True)
    return [output, slope, *torch.autograd.grad(output.square().sum() + slope.pow(4).sum(), [x, weight, bias])]


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_it_is_what_aten_computes(geometry):
    stride, padding, groups = geometry
    found = derivatives(lambda *given: grouped_conv2d(*given, geometry), *tensors(geometry))
    expected = derivatives(lambda *given: conv2d(*given, stride, padding, 1, groups), *tensors(geometry))
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-12)


def test_under_autocast_as_aten():
    geometry = Geometry(1, 1, 3)
    with torch.autocast("cpu", torch.bfloat16):
        found = grouped_conv2d(*tensors(geometry, torch.float32), geometry)
        expected = conv2d(*tensors(geometry, torch.float32), 1, 1, 1, 3)
    assert found.dtype == expected.dtype
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0.02)  # here the sum is rounded before the bias joins


class Calls(TorchDispatchMode):
    """Counts the operations that reach a device."""

    def __init__(self):
        super().__init__()
        self.counts = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.counts[function.name()] += 1
        return function(*args, **kwargs or {})


def calls(group_width):
    """Of D's loss with R1, on a device that is not the CPU."""
    with torch.device("meta"):
        discriminator = R3GANDiscriminator([3, 16, 16], base_channels=16, group_width=group_width)
        image = torch.empty(2, 3, 16, 16).requires_grad_()
    with Calls() as called:
        logits = discriminator(image)
        (slope,) = torch.autograd.grad(logits.sum(), image, create_graph=True)
        (logits.mean() + slope.square().sum()).backward(inputs=list(discriminator.parameters()))
    return called.counts


def test_the_number_of_groups_costs_no_calls():
    few, many = calls(group_width=32), calls(group_width=4)
    assert many.total() == calls(group_width=2).total() <= few.total() + 60
    assert many.total() < 500
    assert "aten::slice.Tensor" not in many


def test_a_layer_is_an_ordinary_convolution_on_the_cpu():
    layer = GroupedConv2d(4, 4, 3, padding=1, groups=2)
    x = torch.randn(2, 4, 5, 5)
    assert torch.equal(layer(x), conv2d(x, layer.weight, layer.bias, 1, 1, 1, 2))
