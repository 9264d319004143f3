import math

import numpy as np
import pytest
import torch

from gan_lightning import rng
from gan_lightning.data import Gaussians2D


def papers_modes(layout):
    """The means and the standard deviation in the papers' units."""
    if layout == "ring":
        return [(2 * math.cos(math.pi * k / 4), 2 * math.sin(math.pi * k / 4)) for k in range(8)], 0.02
    return [(-4 + 2 * i, -4 + 2 * j) for i in range(5) for j in range(5)], 0.05


@pytest.mark.parametrize("layout", ["ring", "grid"])
def test_the_distribution_is_the_papers_but_for_a_scale(layout):
    data = Gaussians2D(layout=layout)
    means, std = papers_modes(layout)
    scale = 0.8 / max(abs(x) for mean in means for x in mean)
    expected = torch.tensor(means) * scale
    torch.testing.assert_close(data.means, expected)
    samples = data.sample(100_000, rng.generator("test"))
    assert samples.abs().max() < 1
    nearest = torch.cdist(samples, expected).argmin(1)
    assert np.bincount(nearest).min() > 0.9 * len(samples) / len(means)
    for mode, mean in enumerate(expected):
        own = samples[nearest == mode]
        torch.testing.assert_close(own.mean(0), mean, atol=std * scale / 10, rtol=0)
        torch.testing.assert_close(own.std(0), torch.full((2,), std * scale), atol=0, rtol=0.05)


def test_another_std_and_extent():
    data = Gaussians2D(std=0.1, extent=0.5)
    assert data.means.abs().max().item() == pytest.approx(0.5)
    assert data.std == pytest.approx(0.1 / 4)


@pytest.mark.parametrize("layout", ["ring", "grid"])
def test_true_samples_cover_all_modes(layout):
    data = Gaussians2D(layout=layout)
    samples = data.sample(50_000, rng.generator("test"))
    assert data.modes_covered(samples) == len(data.means)
    assert data.high_quality(samples) == pytest.approx(1 - math.exp(-4.5), abs=2e-3)


def test_counting_against_a_loop():
    data = Gaussians2D(layout="grid", std=0.3)
    samples = torch.rand(200, 2, generator=rng.generator("test")) * 2 - 1
    hits, good = [0] * 25, 0
    for x, y in samples.tolist():
        near = [mode for mode, (a, b) in enumerate(data.means.tolist()) if math.hypot(x - a, y - b) <= 3 * data.std]
        for mode in near:
            hits[mode] += 1
        good += bool(near)
    assert 0 < min(hits) < max(hits)
    assert data.high_quality(samples) == pytest.approx(good / 200)
    assert data.modes_covered(samples) == 25
    share = sorted(hits)[10] / 200
    assert data.modes_covered(samples, least=share) == sum(count >= 200 * share for count in hits) < 25


def test_a_collapsed_generator():
    data = Gaussians2D()
    collapsed = data.means[:1].repeat(100, 1)
    assert data.modes_covered(collapsed) == 1
    assert data.high_quality(collapsed) == 1
    assert data.modes_covered(torch.zeros(100, 2)) == 0
    assert data.high_quality(torch.zeros(100, 2)) == 0
    one_more = torch.cat([collapsed, data.means[1:2]])
    assert data.modes_covered(one_more) == 2
    assert data.modes_covered(one_more, least=0.02) == 1
