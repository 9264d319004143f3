"""Does the generator repeat what it was trained on?"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from gan_lightning import rng

CHUNK = 2000
LIMIT = 0.6
"""A report is flagged where more than this part of the generated images lies closer to training images."""


class Report(NamedTuple):
    """Generated images beside real ones."""

    figures: dict[str, Any]
    neighbours: Int64[Tensor, " n"]
    """The nearest training image of each generated one."""
    distances: Float[Tensor, " n"]


def report(
    generated: UInt8[Tensor, "n c h w"], train: UInt8[Tensor, "t c h w"], held_out: UInt8[Tensor, "u c h w"], seed: int
) -> Report:
    """How much closer generated images lie to training images than to held-out ones, in pixels.

    Both sets are cut to the size of the smaller (a keyed subset), so that a generator that has learned the distribution
    finds its nearest neighbour as often in one as in the other, at the same distance. One that repeats its
    training images finds it among them. Distances are Euclidean, in units of the range [-1, 1].
    """
    size = min(len(train), len(held_out))
    to_train, to_held_out = (
        nearest(generated, images[rng.permutation(len(images), name, seed)[:size]])[0]
        for name, images in (("train", train), ("held out", held_out))
    )
    distances, neighbours = nearest(generated, train)
    closer = (to_train < to_held_out).double() + (to_train == to_held_out).double() / 2
    return Report(
        {
            "distance_ratio": (to_train.median() / to_held_out.median()).item(),
            "closer_to_train": closer.mean().item(),
            "flagged": closer.mean().item() > LIMIT,
            "generated_images": len(generated),
            "images_each": size,
        },
        neighbours,
        distances,
    )


def nearest(
    images: UInt8[Tensor, "n c h w"], others: UInt8[Tensor, "m c h w"]
) -> tuple[Float[Tensor, " n"], Int64[Tensor, " n"]]:
    """The distance of every image to the nearest of the others, and which that is."""
    queries = _flat(images)
    least = torch.full((len(queries),), torch.inf)
    place = torch.zeros(len(queries), dtype=torch.int64)
    for first in range(0, len(others), CHUNK):
        distances, rows = torch.cdist(queries, _flat(others[first : first + CHUNK])).min(1)
        place = torch.where(distances < least, rows + first, place)
        least = torch.minimum(distances, least)
    # Once more for those found: through matrix products, which are fast, small distances are not exact.
    return (queries - _flat(others[place])).double().norm(dim=1), place


def _flat(images: Tensor) -> Float[Tensor, "n pixels"]:
    return images.flatten(1).float() / 127.5 - 1
