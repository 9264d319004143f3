"""The augmentation pipeline of Karras et al. 2020 (arXiv:2006.06676), appendix B: blits, geometry, colors, cutout."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from gan_lightning.losses.augmentation import Augment, Images
from gan_lightning.losses.terms import to_float32
from gan_lightning.losses.warp import low_pass, rotation, scaling, warp

Name = Literal[
    "xflip",
    "rotate90",
    "xint",
    "scale",
    "rotate",
    "aniso",
    "xfrac",
    "brightness",
    "contrast",
    "lumaflip",
    "hue",
    "saturation",
    "cutout",
]


def _integers(count: int, size: Sequence[int], like: Tensor) -> Tensor:
    return (torch.rand(size, dtype=like.dtype, device=like.device) * count).floor()


def _uniform(limit: float, size: Sequence[int], like: Tensor) -> Tensor:
    return (torch.rand(size, dtype=like.dtype, device=like.device) * 2 - 1) * limit


def _fractions(size: Sequence[int], like: Tensor) -> Tensor:
    return torch.rand(size, dtype=like.dtype, device=like.device)


def _normal(std: float, size: Sequence[int], like: Tensor) -> Tensor:
    return torch.randn(size, dtype=like.dtype, device=like.device) * std


def _log_normal(std: float, size: Sequence[int], like: Tensor) -> Tensor:
    return _normal(std, size, like).exp2()


class _Transform(NamedTuple):
    """How the numbers of a transform are drawn, and the number that changes nothing."""

    draw: Callable[[Sequence[int], Tensor], Tensor]
    neutral: float
    shape: tuple[int, ...] = ()


TRANSFORMS: dict[str, _Transform] = {
    "xflip": _Transform(partial(_integers, 2), 0),
    "rotate90": _Transform(partial(_integers, 4), 0),
    "xint": _Transform(partial(_uniform, 0.125), 0, (2,)),
    "scale": _Transform(partial(_log_normal, 0.2), 1),
    "rotate": _Transform(partial(_uniform, math.pi), 0),
    "aniso": _Transform(partial(_log_normal, 0.2), 1),
    "xfrac": _Transform(partial(_normal, 0.125), 0, (2,)),
    "brightness": _Transform(partial(_normal, 0.2), 0),
    "contrast": _Transform(partial(_log_normal, 0.5), 1),
    "lumaflip": _Transform(partial(_integers, 2), 0),
    "hue": _Transform(partial(_uniform, math.pi), 0),
    "saturation": _Transform(partial(_log_normal, 1.0), 1),
    "cutout": _Transform(_fractions, math.inf, (2,)),
}
"""The transforms in their order, with the paper's distributions."""
GEOMETRY = ("xflip", "rotate90", "xint", "scale", "rotate", "aniso", "xfrac")


class AugmentPipeline(Augment):
    """The pipeline of ADA. Each transform has random numbers of its own for each sample.

    - blits: xflip mirrors half of the images; rotate90: 0 to 3 quarter turns; xint moves by whole pixels, up to an
      eighth of each side;
    - geometry: scale by 2^N(0, 0.2^2); rotate by any angle, before and after aniso, a scaling of x by 2^N(0, 0.2^2)
      and of y by its inverse; xfrac moves by N(0, 0.125^2) of each side;
    - colors: brightness adds N(0, 0.2^2); contrast multiplies by 2^N(0, 0.5^2); lumaflip mirrors the mean of the
      channels in half of the images; hue rotates the three channels around their mean, and saturation multiplies the
      distances from it by 2^N(0, 1); the last two leave out images of one channel, and hue those of two;
    - cutout: a rectangle of half the height and half the width, around any point, becomes 0.

    All maps of points are one resampling (`warp`). Without cutout this is the `bgc` of the paper.

    Args:
        p: The probability of each transform. (Of rotate, it is that of one of its two rotations.)
        strengths: By the name of a transform, the factor of p; 0, or a name that is left out: no such transform.
            None: 1 for all but cutout.

    Raises:
        ValueError: A name is unknown.
    """

    taps: Tensor

    def __init__(self, p: float = 0.5, strengths: Mapping[Name, float] | None = None) -> None:
        super().__init__(p)
        bgc = dict.fromkeys(TRANSFORMS, 1.0) | {"cutout": 0.0}
        given = bgc if strengths is None else {str(name): factor for name, factor in strengths.items()}
        unknown = [name for name in given if name not in TRANSFORMS]
        if unknown:
            raise ValueError(f"model.augment.strengths: {unknown}: expected some of {', '.join(TRANSFORMS)}")
        self.strengths = {name: given.get(name, 0.0) for name in TRANSFORMS}
        self.register_buffer("taps", low_pass(), persistent=False)

    def transform(self, images: Images) -> Images:
        device = images.device.type
        with torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else nullcontext():
            # In full precision: 16 bits are too few for coordinates and filters.
            wide = to_float32(images)
            if any(self.strengths[name] for name in GEOMETRY):
                wide = warp(wide, *self._affine_map(wide), self.taps)
            wide = self._color(wide)
            if self.strengths["cutout"]:
                wide = _cutout(wide, self._sample("cutout", wide))
        return wide.to(images.dtype)

    def _sample(self, name: str, like: Tensor) -> Float[Tensor, "batch ..."]:
        """Draws the numbers of a transform for each sample; neutral ones where it is not applied."""
        draw, neutral, shape = TRANSFORMS[name]
        size = (len(like), *shape)
        if not self.strengths[name]:
            return like.new_full(size, neutral)
        value = draw(size, like)
        p = self.strengths[name] * self.p
        if name == "rotate":
            p = 1 - (1 - p).clamp(0, 1).sqrt()  # that of each rotation, so that p is that of one or both
        applied = torch.rand(len(like), dtype=like.dtype, device=like.device) < p
        return torch.where(applied.view(-1, *(1 for _ in shape)), value, neutral)

    def _affine_map(self, images: Images) -> tuple[Float[Tensor, "batch 2 2"], Float[Tensor, "batch 2"]]:
        """Draws the map from the points of the result to those of the images: the inverses, in the reverse order."""
        flip, turns, whole, scale, before, aniso, after, part = (
            self._sample(name, images)
            for name in ("xflip", "rotate90", "xint", "scale", "rotate", "aniso", "rotate", "xfrac")
        )
        blit = scaling(1 - 2 * flip, torch.ones_like(flip)) @ rotation(turns * math.pi / 2)
        linear = blit @ scaling(1 / scale, 1 / scale) @ rotation(before) @ scaling(1 / aniso, aniso) @ rotation(after)
        shift = blit @ _in_pixels(whole, images).round() + linear @ _in_pixels(part, images)
        return linear, -shift.squeeze(2)

    def _color(self, images: Images) -> Images:
        """Changes the mean of a pixel's channels, and the distances from it, each by one product."""
        shift, gain, flip = (
            self._sample(name, images)[:, None, None, None] for name in ("brightness", "contrast", "lumaflip")
        )
        luma = images.mean(1, keepdim=True)
        changed = (1 - 2 * flip) * gain * (luma + shift)
        if images.shape[1] == 1:
            return changed
        chroma = images - luma
        if images.shape[1] == 3:
            angle = self._sample("hue", images)[:, None, None, None]
            across = (chroma.roll(1, 1) - chroma.roll(-1, 1)) / math.sqrt(
                3
            )  # the cross product with (1, 1, 1) / sqrt(3)
            chroma = angle.cos() * chroma + angle.sin() * across
        return changed + gain * self._sample("saturation", images)[:, None, None, None] * chroma


def _in_pixels(parts: Float[Tensor, "batch 2"], images: Images) -> Float[Tensor, "batch 2 1"]:
    return torch.stack([parts[:, axis] * size for axis, size in enumerate(images.shape[:1:-1])], 1).unsqueeze(2)


def _cutout(images: Images, center: Float[Tensor, "batch 2"]) -> Images:
    """Sets a rectangle of half of each side to 0 around a point (x, y), in parts of the sides."""
    inside = [
        ((torch.arange(size, device=images.device) + 0.5) / size - center[:, axis, None]).abs() < 0.25
        for axis, size in enumerate(images.shape[:1:-1])
    ]
    return images.masked_fill((inside[1][:, :, None] & inside[0][:, None, :]).unsqueeze(1), 0)
