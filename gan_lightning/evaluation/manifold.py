"""Metrics based on nearest neighbors: precision, recall, density and coverage."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

CHUNK = 250


def manifold_metrics(
    real: Float[Tensor, "n dimensions"],
    generated: Float[Tensor, "m dimensions"],
    real_radii: Sequence[Float[Tensor, " n"]] | None = None,
) -> dict[str, float]:
    """Precision, recall, density and coverage of generated features.

    The manifold of a set of points is the union of balls around its points. The radius of a ball is the distance to
    the k-th nearest point of the same set. Precision is the share of generated points in the real manifold, recall
    the share of real points in the generated one, k = 3: Kynkäänniemi et al. 2019 (arXiv:1904.06991), eqs. 1 and 2.
    Density is the mean number of real balls that contain a generated point, over k, and coverage the share of real
    balls that contain one, k = 5: Naeem et al. 2020 (arXiv:2002.09797), eqs. 3 and 4. With fewer than k + 1 points,
    the farthest is used.

    Args:
        real: The features of real images.
        generated: The features of generated images.
        real_radii: `radii(real, 3, 5)`, if they are computed already.
    """
    real, generated = real.double(), generated.double()
    real_3, real_5 = real_radii or radii(real, 3, 5)
    (generated_3,) = radii(generated, 3)
    inside = torch.zeros(len(generated), dtype=torch.bool, device=real.device)
    balls_around = torch.zeros(len(generated), dtype=torch.long, device=real.device)
    recalled, covered = 0, 0
    for rows in torch.arange(len(real), device=real.device).split(CHUNK):
        distances = torch.cdist(real[rows], generated)
        in_real_5 = distances <= real_5[rows].unsqueeze(1)
        inside |= (distances <= real_3[rows].unsqueeze(1)).any(0)
        balls_around += in_real_5.count_nonzero(0)
        recalled += int((distances <= generated_3).any(1).sum())
        covered += int(in_real_5.any(1).sum())
    return {
        "precision": inside.double().mean().item(),
        "recall": recalled / len(real),
        "density": balls_around.double().mean().item() / 5,
        "coverage": covered / len(real),
    }


def radii(points: Float[Tensor, "n dimensions"], *ks: int) -> list[Float[Tensor, " n"]]:
    """The distance of each point to its k-th nearest neighbor (without itself), for each k."""
    points = points.double()
    most = min(max(ks) + 1, len(points))
    nearest = torch.cat([torch.cdist(chunk, points).topk(most, largest=False).values for chunk in points.split(CHUNK)])
    return [nearest[:, min(k, most - 1)] for k in ks]
