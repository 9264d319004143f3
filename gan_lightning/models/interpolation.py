"""Ways between latents."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Path = Callable[[Tensor, Tensor, Tensor], Tensor]
"""A way from one latent to another: a function of both and of the fractions of the way, (steps, 1)."""


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


def straight_line(
    start: Float[Tensor, " w"], end: Float[Tensor, " w"], fraction: Float[Tensor, "steps 1"]
) -> Float[Tensor, "steps w"]:
    """Interpolates styles linearly: they lie on no sphere."""
    return torch.lerp(start, end, fraction.to(start.dtype))


def closed_walk(stops: Float[Tensor, "stops latent"], steps: int, path: Path) -> Float[Tensor, "steps latent"]:
    """Walks from stop to stop and back to the first one, in `steps` latents; the first stop comes once."""
    count = len(stops)
    lengths = [steps * (place + 1) // count - steps * place // count for place in range(count)]
    ways = zip(stops, stops.roll(-1, 0), lengths, strict=True)
    return torch.cat([path(start, end, fractions(length + 1)[:-1]) for start, end, length in ways])


def fractions(steps: int) -> Float[Tensor, "steps 1"]:
    """Returns the fractions of a way in equal steps, both ends included."""
    return torch.linspace(0, 1, steps).unsqueeze(1)
