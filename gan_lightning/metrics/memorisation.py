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
"""A report is flagged where at least this part of the generated images must be repetitions."""


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

    Of a generator that has learned the distribution, an image finds its nearest neighbour among t training and h
    held-out images in the training set with probability t / (t + h); where it repeats a training image, always. So with
    the share s that does, (s - t / (t + h)) / (1 - t / (t + h)) estimates the part of repetitions. It is flagged above
    `LIMIT`, if chance (three standard deviations) does not explain it. `distance_ratio` is the median distance to the
    nearest training image over that to the nearest held-out one, both sets cut to the size of the smaller.
    Distances are Euclidean, in units of the range [-1, 1].
    """
    to_train, neighbours = nearest(generated, train)
    to_held_out, _ = nearest(generated, held_out)
    closer = ((to_train < to_held_out).double() + (to_train == to_held_out).double() / 2).mean().item()
    chance = len(train) / (len(train) + len(held_out))
    repeated = (closer - chance) / (1 - chance)
    noise = 3 * math.sqrt(chance * (1 - chance) / len(generated)) / (1 - chance)
    size = min(len(train), len(held_out))
    halves = [
        to_all
        if len(images) == size
        else nearest(generated, images[rng.permutation(len(images), name, seed)[:size]])[0]
        for name, images, to_all in (("train", train, to_train), ("held out", held_out, to_held_out))
    ]
    return Report(
        {
            "repeated_share": repeated,
            "closer_to_train": closer,
            "expected_by_chance": chance,
            "distance_ratio": (halves[0].median() / halves[1].median()).item(),
            "flagged": repeated > max(LIMIT, noise),
            "generated_images": len(generated),
            "training_images": len(train),
            "held_out_images": len(held_out),
        },
        neighbours,
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
