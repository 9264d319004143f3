"""Ways between latents."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def great_circle(
    start: Float[Tensor, "*batch latent"], end: Float[Tensor, "*batch latent"], fraction: Float[Tensor, "steps 1"]
) -> Float[Tensor, "steps latent"]:
    """Interpolates latents along a great circle (slerp): White 2016 (arXiv:1609.04468), section 2.1.

    Args:
        start: The latent at fraction 0, or one for each step.
        end: That at fraction 1.
        fraction: How far along the way each step is.
    """
    cosine = torch.nn.functional.cosine_similarity(start, end, dim=-1).clamp(-1, 1).unsqueeze(-1)
    angle = torch.acos(cosine)
    circle = (torch.sin((1 - fraction) * angle) * start + torch.sin(fraction * angle) * end) / torch.sin(angle)
    # The circle of parallel latents is not defined.
    return torch.where(angle.sin() < 1e-6, start + fraction * (end - start), circle)
