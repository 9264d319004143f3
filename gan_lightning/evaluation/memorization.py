"""Does the generator repeat what it was trained on?"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from gan_lightning import rng

CHUNK = 2000
LIMIT = 0.25
"""A report is flagged where at least this part of what lies nearest must be there because it was repeated."""


class Report(NamedTuple):
    """Generated images beside real ones."""

    metrics: dict[str, Any]
    neighbors: Int64[Tensor, " n"]
    """The nearest training image of each generated one."""
    distances: Float[Tensor, " n"]


def report(
    generated: UInt8[Tensor, "n c h w"], train: UInt8[Tensor, "t c h w"], held_out: UInt8[Tensor, "u c h w"], seed: int
) -> Report:
    """Whose images lie nearest to generated ones, in pixels: training images', or held-out ones'?

    Take the real images that are nearest to some generated image, each once (a bad image, and every one like it, has a
    blot or a thin stroke for its neighbor). If the generator knew the distribution only, t training and h held-out
    images would be among them in proportion, a share of t / (t + h); if it repeated its training images, those alone.
    The excess over the first, as a part of what is left to the second, is flagged above `LIMIT`, if chance (three
    standard deviations) does not explain it. `distance_ratio` is the median distance to the nearest training image
    over that to the nearest held-out one, both sets cut to the size of the smaller. Distances are Euclidean, in units
    of the range [-1, 1].
    """
    to_train, in_train = nearest(generated, train)
    to_held_out, in_held_out = nearest(generated, held_out)
    neighbors = [in_train[to_train < to_held_out].unique(), in_held_out[to_held_out < to_train].unique()]
    found = sum(map(len, neighbors))
    chance = len(train) / (len(train) + len(held_out))
    excess = (len(neighbors[0]) / found - chance) / (1 - chance) if found else 0.0
    noise = 3 * math.sqrt(chance / (1 - chance) / max(found, 1))
    size = min(len(train), len(held_out))
    evenly = [
        to_all
        if len(images) == size
        else nearest(generated, images[rng.permutation(len(images), name, seed)[:size]])[0]
        for name, images, to_all in (("train", train, to_train), ("held out", held_out, to_held_out))
    ]
    return Report(
        {
            "repeated_share": excess,
            "nearest_real_images": found,
            "of_them_training_images": len(neighbors[0]),
            "expected_by_chance": chance,
            "distance_ratio": (evenly[0].median() / evenly[1].median()).item(),
            "flagged": excess > max(LIMIT, noise),
            "generated_images": len(generated),
            "training_images": len(train),
            "held_out_images": len(held_out),
        },
        in_train,
        to_train,
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
