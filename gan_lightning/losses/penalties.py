"""Gradient penalties on the discriminator: pure functions of D and two batches.

All share the signature `penalty(logits_of, real, fake, draw_noise, *, weight, ...)`. `logits_of` maps a batch to
logits (batch,), with condition and augmentation bound; of `real` and of `fake` themselves it returns the logits of the
adversarial loss, so that D is not called again. `draw_noise(torch.rand, 3, 4)` samples noise of shape (batch, 3, 4); a
sample's noise does not depend on the number of processes. Penalties run in float32 at every precision of the step,
because squared gradients exceed the range of 16 bits.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from gan_lightning.distributed.collectives import all_reduce_sum_
from gan_lightning.losses.terms import Number, to_float32

LogitsOf = Callable[[Tensor], Tensor]
DrawNoise = Callable[..., Tensor]
Samples = Float[Tensor, "batch *sample"]


def r1(
    logits_of: LogitsOf, real: Samples, fake: Samples, draw_noise: DrawNoise | None = None, *, weight: Number
) -> Float[Tensor, ""]:
    """The penalty R1, at real samples.

        weight/2 * E_x ||grad_x D(x)||^2

    Mescheder et al. 2018 (arXiv:1801.04406), eq. 9. The weight is the paper's gamma; the `reg_param` of the authors'
    code is half of it.
    """
    return weight / 2 * _squared_gradient_norm(logits_of, real).mean()


def r2(
    logits_of: LogitsOf, real: Samples, fake: Samples, draw_noise: DrawNoise | None = None, *, weight: Number
) -> Float[Tensor, ""]:
    """The penalty R2, at generated samples.

        weight/2 * E_z ||grad D(G(z))||^2

    Mescheder et al. 2018 (arXiv:1801.04406), eq. 10. The weight is the paper's gamma; the `reg_param` of the authors'
    code is half of it.
    """
    return weight / 2 * _squared_gradient_norm(logits_of, fake).mean()


def wgan_gp(
    logits_of: LogitsOf, real: Samples, fake: Samples, draw_noise: DrawNoise, *, weight: Number
) -> Float[Tensor, ""]:
    """The penalty of WGAN-GP, between real and generated samples.

        weight * E (||grad D(x^)|| - 1)^2,  x^ = e x + (1 - e) G(z),  e ~ U(0, 1)

    Gulrajani et al. 2017 (arXiv:1704.00028), eq. 3.
    """
    norm = _gradient_norm(logits_of, _between(real, fake, draw_noise))
    return weight * (norm - 1).square().mean()


def zero_centered_gp(
    logits_of: LogitsOf, real: Samples, fake: Samples, draw_noise: DrawNoise, *, weight: Number
) -> Float[Tensor, ""]:
    """The zero-centered penalty between real and generated samples.

        weight * E ||grad D(x^)||^2,  x^ = e x + (1 - e) G(z),  e ~ U(0, 1)

    Thanh-Tung et al. 2019 (arXiv:1902.03984), 0-GP, with lambda for the weight.
    """
    return weight * _squared_gradient_norm(logits_of, _between(real, fake, draw_noise)).mean()


def dragan(
    logits_of: LogitsOf, real: Samples, fake: Samples, draw_noise: DrawNoise, *, weight: Number, std: Number
) -> Float[Tensor, ""]:
    """The penalty of DRAGAN, with the paper's noise.

        weight * E (||grad D(x + d)|| - 1)^2,  d ~ N(0, std^2)

    Kodali et al. 2017 (arXiv:1705.07215), algorithm 1 with k = 1 and c = std^2.
    """
    delta = std * draw_noise(torch.randn, *real.shape[1:]).to(real)
    return weight * (_gradient_norm(logits_of, (real + delta).detach()) - 1).square().mean()


def dragan_uniform(
    logits_of: LogitsOf, real: Samples, fake: Samples, draw_noise: DrawNoise, *, weight: Number, scale: Number
) -> Float[Tensor, ""]:
    """The noise of the authors' code, which is not the paper's: Kodali et al. 2017 (arXiv:1705.07215).

        weight * E (||grad D(x + a d)|| - 1)^2,  d = scale * std(x) * u,  a ~ U(0, 1), u ~ U(0, 1)^n

    a is one number for each sample, and std(x) is over all numbers of the batch, of all processes. With the authors'
    scale of 0.5, the noise a d has the mean 0.125 std(x) and the root mean square 0.167 std(x).
    """
    samples = real.detach()
    noise = draw_noise(torch.rand, 1 + samples[0].numel()).to(samples)
    delta = scale * _standard_deviation(samples) * (noise[:, :1] * noise[:, 1:]).view_as(samples)
    return weight * (_gradient_norm(logits_of, samples + delta) - 1).square().mean()


def _between(real: Samples, fake: Samples, draw_noise: DrawNoise) -> Samples:
    """Points on the lines between pairs of samples, without a graph."""
    alpha = draw_noise(torch.rand, *[1] * (real.ndim - 1)).to(real)
    return torch.lerp(fake.to(real), real, alpha).detach()


def _standard_deviation(samples: Samples) -> Float[Tensor, ""]:
    """That of all numbers of a batch without a graph, over all processes."""
    count = all_reduce_sum_(torch.ones_like(samples).sum())
    mean = all_reduce_sum_(samples.sum()) / count
    return (all_reduce_sum_((samples - mean).square().sum()) / count).sqrt()


def _gradient_norm(logits_of: LogitsOf, samples: Tensor) -> Float[Tensor, " batch"]:
    # The derivative of the root at 0 is infinite: a gradient of 0 would give NaN.
    return (_squared_gradient_norm(logits_of, samples) + 1e-12).sqrt()


def _squared_gradient_norm(logits_of: LogitsOf, samples: Tensor) -> Float[Tensor, " batch"]:
    with torch.autocast(samples.device.type, enabled=False):
        if not samples.requires_grad:
            samples = to_float32(samples).detach().requires_grad_()
        logits = logits_of(samples)
        (gradient,) = torch.autograd.grad(logits.sum(), samples, create_graph=True)
    return gradient.flatten(1).square().sum(1)
