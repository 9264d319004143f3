"""The avatars' tags and colors, and how the colors are read off a picture, be it drawn or generated."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

Field = Float[Tensor, "#n 1 #h #w"]
"""A number a pixel, most often the distance to a shape's edge, negative inside."""
Color = Float[Tensor, "#n 3 1 1"]


def color(red: int, green: int, blue: int) -> Color:
    """0..255 to 0..1."""
    return torch.tensor([red, green, blue]).view(1, 3, 1, 1) / 255


def hue(turn: Field) -> Color:
    """A bright color; `turn` goes once around the color circle from 0 to 1."""
    return 0.5 + 0.5 * torch.cos(2 * math.pi * (turn + torch.tensor([0, 2 / 3, 1 / 3]).view(1, 3, 1, 1)))


SKIN = torch.tensor([[255, 229, 211], [250, 214, 188], [226, 176, 138], [158, 108, 80]]) / 255
WHITE = color(253, 253, 255)
INK = color(62, 38, 50)
MOUTH = color(150, 40, 52)

HAIR = {
    "black hair": (52, 48, 66),
    "blonde hair": (250, 208, 78),
    "red hair": (206, 44, 48),
    "pink hair": (246, 120, 178),
    "purple hair": (134, 72, 190),
    "blue hair": (54, 98, 220),
    "aqua hair": (64, 206, 212),
    "green hair": (62, 168, 82),
}
EYES = {
    "yellow eyes": (248, 206, 32),
    "orange eyes": (244, 122, 24),
    "red eyes": (220, 34, 46),
    "pink eyes": (246, 96, 176),
    "purple eyes": (142, 68, 206),
    "blue eyes": (44, 104, 236),
    "aqua eyes": (48, 208, 216),
    "green eyes": (54, 178, 74),
}
"""RGB, 0..255. No brown eyes and no white hair: a blur makes red and pupil brown, and backgrounds are pale."""

GROUPS: dict[str, dict[str, tuple[int, int, int] | None]] = {
    "hair color": {**HAIR},
    "eye color": {**EYES},
    "hair style": dict.fromkeys(("short hair", "long hair", "twin tails")),
    "mouth": dict.fromkeys(("smile", "open mouth", "pout")),
    "glasses": dict.fromkeys(("glasses",)),
    "headwear": dict.fromkeys(("cat ears", "hair bow")),
}
"""Tags, and their colors where they have one; a face has exactly one tag of a group."""

OPTIONAL = {"glasses": 0.25, "headwear": 0.5}
"""The groups of which a face may have no tag, and how often it has one."""

EYE_ACROSS, EYE_DOWN = 0.27, 0.14
"""Where an eye's center is, from the face's center; the shorter side of a picture is 2."""
FACE_DOWN = 0.08
"""Where a face's center is, from the picture's center."""

_TOLERANCE = 45.0  # the distance, in RGB, at which a pixel's vote counts 1/e
_BLOCK = 1024  # pictures


def pixel_coordinates(height: int, width: int) -> tuple[Float[Tensor, "1 width"], Float[Tensor, "height 1"]]:
    """x, to the right, and y, downwards, of the pixels' centers: from -1 to 1 along the shorter side."""
    shorter = min(height, width)
    x = (2 * torch.arange(width) + 1 - width) / shorter
    y = (2 * torch.arange(height) + 1 - height) / shorter
    return x.view(1, -1), y.view(-1, 1)


def measure(images: UInt8[Tensor, "n 3 h w"]) -> tuple[Int64[Tensor, " n"], Int64[Tensor, " n"]]:
    """Which hair color and which eye color each picture shows: indices into `HAIR` and `EYES`.

    Pixels vote, in the patches that lie inside hair and irises wherever the face is within its jitter: each
    for the colors near its own, so that outline, highlight, pupil and skin, far from all of them, have no say.
    """
    x, y = pixel_coordinates(*images.shape[2:])
    crown = (x.abs() < 0.4) & ((y + 0.42).abs() < 0.16)
    irises = ((x.abs() - EYE_ACROSS).abs() < 0.13) & ((y - EYE_DOWN - FACE_DOWN).abs() < 0.16)
    return _closest_color(images, crown, HAIR), _closest_color(images, irises, EYES)


def _closest_color(
    images: UInt8[Tensor, "n 3 h w"], where: Bool[Tensor, "h w"], colors: dict[str, tuple[int, int, int]]
) -> Int64[Tensor, " n"]:
    candidates = torch.tensor(list(colors.values()), dtype=torch.float)
    winners = []
    for block in images.split(_BLOCK):  # the distances of all at once would fill the memory
        pixels = block[:, :, where].transpose(1, 2).float()
        votes = torch.exp(-(torch.cdist(pixels, candidates) / _TOLERANCE).square())
        winners.append(votes.sum(1).argmax(1))
    return torch.cat(winners)
