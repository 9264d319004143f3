import pytest
import torch
from torch import nn

from gan_lightning import penalties


def test_r1_of_a_linear_discriminator_is_half_its_squared_norm():
    weights = torch.tensor([3.0, 4.0])
    real = torch.randn(5, 2)
    value = penalties.r1(lambda x: x @ weights, real, real, weight=2.0)
    assert value.item() == pytest.approx(2.0 / 2 * 25)


def test_r1_agrees_with_finite_differences():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    real, step = torch.randn(4, 3, dtype=torch.float64), 1e-6

    def discriminate(x):
        return network(x.double()).squeeze(1)

    slopes = [
        (discriminate(real + step * unit) - discriminate(real - step * unit)) / (2 * step)
        for unit in torch.eye(3, dtype=torch.float64)
    ]
    expected = 0.7 / 2 * torch.stack(slopes).square().sum(0).mean()
    value = penalties.r1(discriminate, real, real, weight=0.7)
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)


def test_r1_reaches_the_weights():
    network = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    penalties.r1(lambda x: network(x).squeeze(1), torch.randn(3, 2), torch.randn(3, 2), weight=1.0).backward()
    assert network[0].weight.grad.abs().sum() > 0


def test_r1_is_float32_under_autocast():
    network = nn.Linear(2, 1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = penalties.r1(lambda x: network(x).squeeze(1), torch.randn(3, 2), torch.randn(3, 2), weight=2.0)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, network.weight.square().sum())
