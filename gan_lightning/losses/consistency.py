"""Consistency of the discriminator: penalties on the difference that a flip and a shift of a picture make to a logit.

Their signature is that of `gan_lightning.losses.penalties`. Both logits of a pair have a gradient, as in the papers'
code, and the picture has none.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gan_lightning.losses.penalties import DrawNoise, LogitsOf, Samples
from gan_lightning.losses.terms import Number, to_float32

Images = Float[Tensor, "batch channels height width"]


def cr(
    logits_of: LogitsOf, real: Samples, fake: Samples, draw_noise: DrawNoise, *, weight: Number
) -> Float[Tensor, ""]:
    """Consistency regularization (CR), at real samples.

        weight * E_x (D(x) - D(T(x)))^2

    Zhang et al. 2020 (arXiv:1910.12027). T mirrors half of the pictures left to right, and shifts each by up to
    an eighth of a side; `flipped_and_shifted` has it.

    Raises:
        ValueError: The samples are not images.
    """
    return weight * _inconsistency(logits_of, real, _numbers(real, draw_noise))


def bcr(
    logits_of: LogitsOf,
    real: Samples,
    fake: Samples,
    draw_noise: DrawNoise,
    *,
    real_weight: Number,
    fake_weight: Number,
) -> Float[Tensor, ""]:
    """Balanced consistency regularization (bCR), at real and at generated samples.

        real_weight * E_x (D(x) - D(T(x)))^2 + fake_weight * E_z (D(G(z)) - D(T(G(z))))^2

    Zhao et al. 2021 (arXiv:2002.04724), algorithm 1; T as in `cr`.

    Raises:
        ValueError: The samples are not images.
    """
    of_real, of_fake = _numbers(real, draw_noise, 2).chunk(2, 1)
    return real_weight * _inconsistency(logits_of, real, of_real) + fake_weight * _inconsistency(
        logits_of, fake, of_fake
    )


def flipped_and_shifted(images: Images, numbers: Float[Tensor, "batch 3"]) -> Images:
    """Mirrors and shifts pictures by whole pixels; what comes in from outside is the picture, reflected at its edge.

    Args:
        images: The pictures.
        numbers: For each of them numbers in [0, 1): it is mirrored if the first is below 1/2; the others give the
            shift along its height and its width, each from minus to plus an eighth of the side, rounded down.
    """
    rows, columns = (
        _reflected(side, (number * (2 * (side // 8) + 1)).long() - side // 8)
        for side, number in zip(images.shape[2:], numbers[:, 1:].unbind(1), strict=True)
    )
    columns = torch.where(numbers[:, :1] < 0.5, images.shape[3] - 1 - columns, columns)
    picked = torch.arange(len(images), device=images.device)[:, None, None]
    return images.permute(0, 2, 3, 1)[picked, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _reflected(side: int, shift: Tensor) -> Tensor:
    """The index from which each pixel of a side comes, (batch, side)."""
    index = (torch.arange(side, device=shift.device) + shift.unsqueeze(1)).abs()
    return side - 1 - (side - 1 - index).abs()


def _numbers(images: Tensor, draw_noise: DrawNoise, times: int = 1) -> Tensor:
    if images.ndim != 4:
        raise ValueError(
            f"model.penalties: consistency is for images (batch, channels, height, width), got {tuple(images.shape)}; "
            "choose other model/penalties=, or other data"
        )
    return draw_noise(torch.rand, 3 * times)


def _inconsistency(logits_of: LogitsOf, images: Tensor, numbers: Tensor) -> Float[Tensor, ""]:
    with torch.autocast(images.device.type, enabled=False):
        images = to_float32(images)
        return (logits_of(images) - logits_of(flipped_and_shifted(images.detach(), numbers))).square().mean()
