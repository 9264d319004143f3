import torch

from gan_lightning.models.interpolation import great_circle


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
