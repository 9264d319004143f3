"""The tags and colors of avatars, and the measurement of colors in drawn or generated pictures."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

Field = Float[Tensor, "#n 1 #h #w"]
"""One number per pixel, usually the signed distance to the edge of a shape, negative inside."""
Color = Float[Tensor, "#n 3 1 1"]


def color(red: int, green: int, blue: int) -> Color:
    """Converts RGB from 0..255 to 0..1."""
    return torch.tensor([red, green, blue]).view(1, 3, 1, 1) / 255


def hue(turn: Field) -> Color:
    """A bright color; `turn` from 0 to 1 is the angle on the color circle."""
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
"""RGB, 0..255. There are no brown eyes and no white hair: blurred red eyes look brown, and backgrounds are pale."""

GROUPS: dict[str, dict[str, tuple[int, int, int] | None]] = {
    "hair color": {**HAIR},
    "eye color": {**EYES},
    "hair style": dict.fromkeys(("short hair", "long hair", "twin tails")),
    "mouth": dict.fromkeys(("smile", "open mouth", "pout")),
    "glasses": dict.fromkeys(("glasses",)),
    "headwear": dict.fromkeys(("cat ears", "hair bow")),
}
"""The tags of each group, with their colors if they have one; a face has one tag of a group."""

OPTIONAL = {"glasses": 0.25, "headwear": 0.5}
"""The groups of which a face may have no tag, and the probability that it has one."""

EYE_ACROSS, EYE_DOWN = 0.27, 0.14
"""The position of an eye's center, from the face's center; the shorter side of a picture has length 2."""
FACE_DOWN = 0.08
"""The vertical position of a face's center, from the picture's center."""

_TOLERANCE = 45.0  # the distance, in RGB, at which a pixel's vote is 1/e
_BLOCK = 1024  # pictures that are measured at a time


def pixel_coordinates(height: int, width: int) -> tuple[Float[Tensor, "1 width"], Float[Tensor, "height 1"]]:
    """The x (to the right) and y (downwards) of the pixels' centers, from -1 to 1 along the shorter side."""
    shorter = min(height, width)
    x = (2 * torch.arange(width) + 1 - width) / shorter
    y = (2 * torch.arange(height) + 1 - height) / shorter
    return x.view(1, -1), y.view(-1, 1)


def measure(images: UInt8[Tensor, "n 3 h w"]) -> tuple[Int64[Tensor, " n"], Int64[Tensor, " n"]]:
    """Measures the hair color and the eye color of each picture: indices into `HAIR` and `EYES`.

    The pixels of patches that are inside hair and irises at every position of the face vote for the colors near their
    own. Outlines, highlights, pupils and skin are far from all these colors and have almost no weight.
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
    for block in images.split(_BLOCK):  # all distances at once would not fit into memory
        pixels = block[:, :, where].transpose(1, 2).float()
        votes = torch.exp(-(torch.cdist(pixels, candidates) / _TOLERANCE).square())
        winners.append(votes.sum(1).argmax(1))
    return torch.cat(winners)
