"""Gradient penalties on the discriminator: pure functions of a logit function and two batches.

All share the signature `penalty(discriminate, real, fake, *, weight)`, where `discriminate` maps a batch to
logits with the condition already bound. They run in float32 whatever the precision of the step, because
squared gradients leave the range of 16 bits.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Discriminate = Callable[[Tensor], Tensor]


def r1(
    discriminate: Discriminate,
    real: Float[Tensor, "batch *sample"],
    fake: Float[Tensor, "batch *sample"],
    *,
    weight: float,
) -> Float[Tensor, ""]:
    """weight/2 * E_x ||grad_x D(x)||^2: Mescheder et al. 2018 (arXiv:1801.04406), eq. 9."""
    return weight / 2 * _squared_gradient_norm(discriminate, real).mean()


def _squared_gradient_norm(discriminate: Discriminate, samples: Tensor) -> Float[Tensor, " batch"]:
    with torch.autocast(samples.device.type, enabled=False):
        samples = samples.detach().float().requires_grad_(True)
        logits = discriminate(samples)
        (gradient,) = torch.autograd.grad(logits.sum(), samples, create_graph=True)
    return gradient.flatten(1).square().sum(1)
