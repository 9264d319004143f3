"""Ways between latents: on the circle, on the line, and closed walks."""

import torch
from torch import nn

from gan_lightning.models.interpolation import closed_walk, great_circle, straight_line


def test_interpolation_is_spherical():
    start, end = torch.randn(2, 50, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    start, end = start / start.norm(), end / end.norm()
    path = great_circle(start, end, torch.linspace(0, 1, 5, dtype=torch.float64).unsqueeze(1))
    torch.testing.assert_close(path[0], start)
    torch.testing.assert_close(path[-1], end)
    torch.testing.assert_close(path.norm(dim=1), torch.ones(5, dtype=torch.float64))
    angles = torch.acos((path[1:] * path[:-1]).sum(1))
    torch.testing.assert_close(angles, angles[:1].expand(4))


def test_parallel_latents_are_on_a_line():
    """One pair of three, each with a fraction of its own."""
    start, end = torch.eye(3), torch.eye(3)[[1, 1, 0]]
    path = great_circle(start, 2 * end, torch.tensor([[0.0], [0.25], [1.0]]))
    torch.testing.assert_close(path, torch.tensor([[1.0, 0, 0], [0, 1.25, 0], [2, 0, 0]]), atol=1e-6, rtol=0)


def test_a_walk_is_closed_and_passes_its_stops():
    stops = torch.randn(3, 6, dtype=torch.float64)
    walk = closed_walk(stops, 10, straight_line)
    assert walk.shape == (10, 6)
    for place, stop in zip((0, 3, 6), stops, strict=True):
        torch.testing.assert_close(walk[place], stop)
    torch.testing.assert_close(walk[9], torch.lerp(stops[2], stops[0], 3 / 4))
    circle = closed_walk(nn.functional.normalize(stops), 10, great_circle)
    torch.testing.assert_close(circle.norm(dim=1), torch.ones(10, dtype=torch.float64))
