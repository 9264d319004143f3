"""Differentiable augmentations of the discriminator's input, with different random numbers for every sample.

The functions take images (batch, channels, height, width) in [-1, 1] and one number per sample. The modules sample
those numbers with torch's default generators, which the step seeds by (seed, batch, process).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad

from gan_lightning.losses.terms import Part, StepOutput

Images = Float[Tensor, "batch channels height width"]
Name = Literal["color", "translation", "cutout", "flip", "quarter_turns"]


def brightness(images: Images, shift: Float[Tensor, " batch"]) -> Images:
    """Adds a number to all pixels. The result is not clamped, since clamped pixels would give G no gradient."""
    return images + _per_sample(shift)


def saturation(images: Images, factor: Float[Tensor, " batch"]) -> Images:
    """Multiplies the distances from each pixel's mean over its channels; a factor of 0 gives gray images."""
    return _stretch(images, factor, images.mean(1, keepdim=True))


def contrast(images: Images, factor: Float[Tensor, " batch"]) -> Images:
    """Multiplies the distances from the image's mean by a factor."""
    return _stretch(images, factor, images.mean((1, 2, 3), keepdim=True))


def translation(images: Images, down: Int[Tensor, " batch"], right: Int[Tensor, " batch"]) -> Images:
    """Moves images by whole pixels; new pixels are 0, the middle of the range."""
    height, width = images.shape[2:]
    # Not grid_sample: on GPUs its gradient is not deterministic.
    rows = (torch.arange(height, device=images.device) - down.unsqueeze(1)).clamp(-1, height) + 1
    columns = (torch.arange(width, device=images.device) - right.unsqueeze(1)).clamp(-1, width) + 1
    samples = torch.arange(len(images), device=images.device)
    bordered = pad(images, (1, 1, 1, 1)).permute(0, 2, 3, 1)
    moved = bordered[samples[:, None, None], rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)


def cutout(images: Images, top: Int[Tensor, " batch"], left: Int[Tensor, " batch"], height: int, width: int) -> Images:
    """Sets a rectangle to 0 from row `top` and column `left`, which may lie outside the image."""
    rows = torch.arange(images.shape[2], device=images.device) - top.unsqueeze(1)
    columns = torch.arange(images.shape[3], device=images.device) - left.unsqueeze(1)
    inside_rows, inside_columns = (rows >= 0) & (rows < height), (columns >= 0) & (columns < width)
    inside = inside_rows[:, :, None] & inside_columns[:, None, :]
    return images.masked_fill(inside.unsqueeze(1), 0)


def quarter_turns(images: Images, turns: Int[Tensor, " batch"]) -> Images:
    """Rotates images by 90 degrees counter-clockwise, 0 to 3 times.

    Raises:
        ValueError: The images are not square.
    """
    height, width = images.shape[2:]
    if height != width:
        raise ValueError(
            f"model.augment.policy: quarter turns need square images, got {height}x{width}; leave out quarter_turns, "
            "or change data.image_shape"
        )
    turned = torch.stack([images.rot90(times, (2, 3)) for times in range(4)])
    return turned[turns, torch.arange(len(images), device=images.device)]


def _stretch(images: Tensor, factor: Tensor, center: Tensor) -> Tensor:
    return (images - center) * _per_sample(factor) + center


def _per_sample(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)


# With random numbers


def _uniform(images: Tensor, low: float, high: float) -> Tensor:
    return torch.rand(len(images), dtype=images.dtype, device=images.device) * (high - low) + low


def _random_integers(images: Tensor, low: int, high: int) -> Tensor:
    return torch.randint(low, high + 1, (len(images),), device=images.device)


def _random_brightness(images: Tensor) -> Tensor:
    return brightness(images, _uniform(images, -0.5, 0.5))


def _random_saturation(images: Tensor) -> Tensor:
    return images if images.shape[1] == 1 else saturation(images, _uniform(images, 0.0, 2.0))


def _random_contrast(images: Tensor) -> Tensor:
    return contrast(images, _uniform(images, 0.5, 1.5))


def _random_translation(images: Tensor) -> Tensor:
    limits = [_nearest(side / 8) for side in images.shape[2:]]
    down, right = (_random_integers(images, -limit, limit) for limit in limits)
    return translation(images, down, right)


def _random_cutout(images: Tensor) -> Tensor:
    # The center lies anywhere in the image, so a part of the rectangle may lie outside.
    sides = [_nearest(side / 2) for side in images.shape[2:]]
    top, left = (
        _random_integers(images, -(side // 2), whole - side % 2 - side // 2)
        for side, whole in zip(sides, images.shape[2:], strict=True)
    )
    return cutout(images, top, left, *sides)


def _random_flip(images: Tensor) -> Tensor:
    return torch.where(_per_sample(_random_integers(images, 0, 1)).bool(), images.flip(3), images)


def _random_quarter_turns(images: Tensor) -> Tensor:
    return quarter_turns(images, _random_integers(images, 0, 3))


def _nearest(value: float) -> int:
    return int(value + 0.5)  # rounds a half up; Python's round takes the even neighbor


TRANSFORMS: dict[str, tuple[Callable[[Tensor], Tensor], ...]] = {
    "color": (_random_brightness, _random_saturation, _random_contrast),
    "translation": (_random_translation,),
    "cutout": (_random_cutout,),
    "flip": (_random_flip,),
    "quarter_turns": (_random_quarter_turns,),
}
"""The transforms of a policy. No default has the last two: they may turn one digit into another, or into none."""


class Augment(Part):
    """The base class of augmentations. A subclass defines `transform`, which samples with torch's default generators.

    Args:
        p: The probability with which each transform is applied to a sample, in [0, 1].
    """

    p: Tensor

    def __init__(self, p: float = 1.0) -> None:
        super().__init__()
        self.register_number("p", p)

    def forward(self, images: Images) -> Images:
        """Returns the augmented images; their values may exceed [-1, 1].

        Raises:
            ValueError: The samples are not images.
        """
        if images.ndim != 4:
            raise ValueError(
                f"model.augment: it is for images (batch, channels, height, width), got {tuple(images.shape)}; "
                "choose augment=null, or other data"
            )
        return self.transform(images)

    def transform(self, images: Images) -> Images:
        """Applies each transform to each sample with probability `p`."""
        raise NotImplementedError

    def metrics(self, output: StepOutput) -> dict[str, Tensor]:
        """Returns the probability `p` as `augment/p`."""
        return {"augment/p": self.p}


class DiffAugment(Augment):
    """DiffAugment: Zhao et al. 2020 (arXiv:2006.10738), eqs. 1-3. D sees T(x) and T(G(z)), in both players' losses.

    - color: brightness shifted by U(-0.5, 0.5), saturation times U(0, 2) where there are colors, contrast times
      U(0.5, 1.5);
    - translation: by whole pixels, up to an eighth of each side; new pixels are 0;
    - cutout: a rectangle of half the height and half the width becomes 0;
    - flip: half of the samples are mirrored left to right;
    - quarter_turns: 0 to 3 rotations by 90 degrees.

    Args:
        policy: The names of the transforms, in the order in which they are applied.
        p: The probability with which each of them is applied to a sample; 1 in the paper.

    Raises:
        ValueError: The policy names an unknown transform.
    """

    def __init__(self, policy: Sequence[Name] = ("color", "translation", "cutout"), p: float = 1.0) -> None:
        super().__init__(p)
        unknown = [name for name in policy if name not in TRANSFORMS]
        if unknown:
            raise ValueError(f"model.augment.policy={unknown}: expected some of {', '.join(TRANSFORMS)}")
        self.policy = tuple(policy)

    def transform(self, images: Images) -> Images:
        for name in self.policy:
            for transform in TRANSFORMS[name]:
                applied = torch.rand(len(images), device=images.device) < self.p
                images = torch.where(_per_sample(applied), transform(images), images)
        return images
