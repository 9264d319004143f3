"""Does the generator repeat its training images?"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from gan_lightning import rng

CHUNK = 2000
LIMIT = 0.25
"""The `repeated_share` above which a report is flagged."""


class Report(NamedTuple):
    """The comparison of generated images with their nearest real images."""

    metrics: dict[str, Any]
    neighbors: Int64[Tensor, " n"]
    """The index of the nearest training image of each generated image."""
    distances: Float[Tensor, " n"]


def report(
    generated: UInt8[Tensor, "n c h w"], train: UInt8[Tensor, "t c h w"], held_out: UInt8[Tensor, "u c h w"], seed: int
) -> Report:
    """Compares the pixel distances of generated images to training images with those to held-out images.

    Collect the real images that are the nearest one of some generated image, each once (many bad images have the same
    neighbor, such as a thin stroke). Let s be the share of training images among them. With t training and h held-out
    images, a generator without memorization has s = t / (t + h) on average, and one that repeats its training images
    has s = 1. `repeated_share` maps these two to 0 and 1. It is flagged above `LIMIT`, if it is also above three
    standard deviations of chance. `distance_ratio` is the median distance to the nearest training image over that to
    the nearest held-out image, with both sets cut to the size of the smaller. Distances are Euclidean, for pixels in
    [-1, 1]. `seed` decides which images are cut.
    """
    to_train, in_train = nearest(generated, train)
    to_held_out, in_held_out = nearest(generated, held_out)
    neighbors = [in_train[to_train < to_held_out].unique(), in_held_out[to_held_out < to_train].unique()]
    found = sum(map(len, neighbors))
    chance = len(train) / (len(train) + len(held_out))
    excess = (len(neighbors[0]) / found - chance) / (1 - chance) if found else 0.0
    noise = 3 * math.sqrt(chance / (1 - chance) / max(found, 1))
    size = min(len(train), len(held_out))
    to_equally_many = [
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
            "distance_ratio": (to_equally_many[0].median() / to_equally_many[1].median()).item(),
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
    """The distance of each image to the nearest of `others`, and the index of that one."""
    queries = _flat(images)
    least = torch.full((len(queries),), torch.inf)
    place = torch.zeros(len(queries), dtype=torch.int64)
    for first in range(0, len(others), CHUNK):
        distances, rows = torch.cdist(queries, _flat(others[first : first + CHUNK])).min(1)
        place = torch.where(distances < least, rows + first, place)
        least = torch.minimum(distances, least)
    # Computed again for the nearest ones: cdist uses matrix products, in which small distances are not exact.
    return (queries - _flat(others[place])).double().norm(dim=1), place


def _flat(images: Tensor) -> Float[Tensor, "n pixels"]:
    return images.flatten(1).float() / 127.5 - 1
