import pytest
import torch
from torch import nn

from gan_lightning.losses import penalties


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


def rows(draw, *shape):
    return draw(4, *shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def slopes(discriminate, at, step=1e-5):
    """The gradients of D at samples, by central differences."""
    return torch.stack(
        [
            (discriminate(at + step * unit) - discriminate(at - step * unit)) / (2 * step)
            for unit in torch.eye(at.shape[1], dtype=at.dtype)
        ],
        1,
    )


@pytest.mark.parametrize("name", ["r1", "r2", "wgan_gp", "dragan", "dragan_uniform"])
def test_a_penalty_agrees_with_finite_differences(name):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    real, fake = torch.randn(2, 4, 3, dtype=torch.float64)
    share, noise = rows(torch.rand, 1), 0.5 * rows(torch.randn, 3)
    more = {"dragan": {"std": 0.5}, "dragan_uniform": {"scale": 0.5}}.get(name, {})
    uniform = rows(torch.rand, 1 + 3)

    def discriminate(x):
        return network(x).squeeze(1)

    at = {
        "r1": real,
        "r2": fake,
        "wgan_gp": share * real + (1 - share) * fake,
        "dragan": real + noise,
        "dragan_uniform": real + 0.5 * real.std(correction=0) * uniform[:, :1] * uniform[:, 1:],
    }[name]
    norm = slopes(discriminate, at).norm(dim=1)
    expected = (norm.square().mean() / 2 if name in ("r1", "r2") else (norm - 1).square().mean()) * 0.7
    value = getattr(penalties, name)(discriminate, real, fake, rows, weight=0.7, **more)
    assert value.item() == pytest.approx(expected.item(), rel=1e-6)
    value.backward()
    before = network[0].weight[0, 0].item()
    with torch.no_grad():
        ends = []
        for shift in (1e-5, -1e-5):
            network[0].weight[0, 0] = before + shift
            with torch.enable_grad():
                ends.append(getattr(penalties, name)(discriminate, real, fake, rows, weight=0.7, **more).item())
    assert network[0].weight.grad[0, 0].item() == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4)


def test_wgan_gp_of_a_critic_of_slope_one_is_nothing():
    direction = torch.tensor([0.6, 0.8], dtype=torch.float64)
    real, fake = torch.randn(2, 4, 2, dtype=torch.float64)
    assert penalties.wgan_gp(lambda x: x @ direction, real, fake, rows, weight=10.0).item() == pytest.approx(
        0, abs=1e-20
    )
    doubled = penalties.wgan_gp(lambda x: 2 * (x @ direction), real, fake, rows, weight=10.0)
    assert doubled.item() == pytest.approx(10)


def test_a_critic_without_a_slope_gives_finite_gradients():
    network = nn.Linear(2, 1)
    nn.init.zeros_(network.weight)
    real, fake = torch.randn(2, 4, 2)
    penalties.wgan_gp(lambda x: network(x).squeeze(1), real, fake, rows, weight=1.0).backward()
    assert network.weight.grad.isfinite().all()


def test_the_zero_centered_penalty_is_at_points_between():
    real, fake = torch.randn(4, 3, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)

    def discriminate(x):
        return (x**3).sum(1)

    value = penalties.zero_centered_gp(discriminate, real, fake, rows, weight=0.4)
    at = rows(torch.rand, 1) * real + (1 - rows(torch.rand, 1)) * fake
    torch.testing.assert_close(value, 0.4 * (3 * at**2).square().sum(1).mean())
