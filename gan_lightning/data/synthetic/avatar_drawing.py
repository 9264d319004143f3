"""The drawing of avatars: layers of simple shapes, given by the signed distance to their edge."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from tqdm.auto import tqdm

from gan_lightning.data.images import Images
from gan_lightning.data.synthetic.avatar_colors import (
    EYE_ACROSS,
    EYE_DOWN,
    EYES,
    FACE_DOWN,
    GROUPS,
    HAIR,
    INK,
    MOUTH,
    SKIN,
    WHITE,
    Color,
    Field,
    color,
    hue,
    pixel_coordinates,
)

TRAITS = {
    "across": (-0.05, 0.05),
    "down": (-0.04, 0.04),
    "size": (0.95, 1.02),
    "tilt": (-0.07, 0.07),  # radians
    "skin": (0, 1),  # light to dark
    "cheeks": (0.47, 0.54),  # half the width of the face
    "jaw": (0.25, 0.7),  # how narrow the chin is
    "blush": (0.1, 0.55),
    "openness": (0.94, 1.06),  # of the eyes
    "gaze": (-0.02, 0.02),
    "brow": (-0.15, 0.15),  # slope
    "parted": (-0.25, 0.25),  # where the fringe is parted
    "parting": (0, 0.25),  # its height
    "fringe": (-0.1, -0.02),  # where its tips end
    "tufts": (1.9, 3.1),  # per unit of length
    "clothes": (0, 1),  # hues
    "ribbon": (0, 1),
    "wall": (0, 1),
    "tint": (0.2, 0.5),  # of the wall
}
"""The ranges of the uniform traits without a tag. The shorter side of a picture has length 2; y points downwards."""


def render(tags: UInt8[Tensor, "n tags"], traits: Float[Tensor, "n traits"], size: Sequence[int]) -> Images:
    """Paints faces of size (height, width), in blocks that fit into a processor's cache."""
    height, width = size
    images = torch.empty(len(tags), 3, height, width, dtype=torch.uint8)
    block = max(1, 2**17 // (height * width))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # more threads are hardly faster on such small blocks
    try:
        for start in tqdm(range(0, len(tags), block), desc="drawing faces", leave=False, delay=1):
            part = slice(start, start + block)
            images[part] = (
                FacePainter(tags[part], traits[part], height, width).render().mul_(255).round_().to(torch.uint8)
            )
    finally:
        torch.set_num_threads(threads)
    return images


def ellipse(x: Field, y: Field, across: Field | float, down: Field | float) -> Field:
    """The distance to an ellipse around 0, to first order: it is accurate near the edge."""
    x, y = x / across, y / down
    radius = (x.square() + y.square()).sqrt()
    return radius * (radius - 1) / ((x / across).square() + (y / down).square()).sqrt().clamp_(min=1e-6)


def within(*distances: Field) -> Field:
    """The distance to the intersection of shapes."""
    return functools.reduce(torch.maximum, distances)


class FacePainter:
    """Paints a batch of faces at once, layer by layer, from the back to the front.

    Args:
        tags: Multi-hot rows, in the order of `GROUPS`.
        traits: The values of `TRAITS`, in their order.
        height: The height of the pictures, in pixels.
        width: The width of the pictures, in pixels.
    """

    def __init__(
        self, tags: UInt8[Tensor, "n tags"], traits: Float[Tensor, "n traits"], height: int, width: int
    ) -> None:
        column = (len(tags), 1, 1, 1)
        names = [tag for group in GROUPS.values() for tag in group]
        self.has = {name: values.float().view(column) for name, values in zip(names, tags.T, strict=True)}
        self.trait = {name: values.view(column) for name, values in zip(TRAITS, traits.T, strict=True)}
        self.hair = sum(color(*rgb) * self.has[name] for name, rgb in HAIR.items())
        self.eye = sum(color(*rgb) * self.has[name] for name, rgb in EYES.items())
        tone = self.trait["skin"].view(-1, 1) * (len(SKIN) - 1)
        weights = (1 - (tone - torch.arange(len(SKIN))).abs()).clamp(min=0)
        self.skin = (weights @ SKIN).view(-1, 3, 1, 1)
        self.cloth = 0.15 + 0.6 * hue(self.trait["clothes"])
        self.ribbon = 0.28 + 0.62 * hue(self.trait["ribbon"])
        self.hairline = 0.38 * self.hair
        self._place(*pixel_coordinates(height, width))
        self._outline()

    def _place(self, x: Float[Tensor, "1 w"], y: Float[Tensor, "h 1"]) -> None:
        """Computes the pixels' coordinates on the face, and paints the wall behind it."""
        trait, tilt = self.trait, self.trait["tilt"]
        self.pixel = float(2 / min(x.shape[1], y.shape[0]))
        wall = torch.lerp(WHITE, hue(trait["wall"]), trait["tint"])
        self.canvas = torch.lerp(wall, WHITE, (0.35 - 0.35 * y).clamp(0, 0.7))
        self.canvas = self.canvas.expand(-1, -1, y.shape[0], x.shape[1]).clone()
        x, y = (x - trait["across"]) / trait["size"], (y - trait["down"] - FACE_DOWN) / trait["size"]
        self.x, self.y = x * tilt.cos() + y * tilt.sin(), y * tilt.cos() - x * tilt.sin()
        self.side = self.x.abs()
        self.out = self.side - EYE_ACROSS  # from an eye's center outwards
        self.right = torch.where(self.x < 0, self.x + EYE_ACROSS, self.x - EYE_ACROSS)  # and to the right

    def _outline(self) -> None:
        """Computes the shapes that several layers use."""
        x, y, side, trait = self.x, self.y, self.side, self.trait
        self.face = ellipse(side * (1 + trait["jaw"] * (y - 0.1).clamp(min=0)), y, trait["cheeks"], 0.6)
        dome = (y + 0.1).clamp(max=0)
        self.cap = ellipse(x, dome, 0.65, 0.7)
        # Strands run along meridians of the skull, from the parting.
        meridian = (x - trait["parted"]) / (1 - (dome / 0.75).square()).clamp(min=0.1).sqrt()
        self.notch = ((meridian * trait["tufts"] + 0.5) % 1 - 0.5).abs() * 2  # 0 at the tips, 1 between the tufts
        rise = trait["parting"] * torch.exp(-(meridian / 0.16).square()) + 0.2 * meridian.square() * (meridian < 0)
        end = trait["fringe"] - 0.2 * self.notch - rise
        fringe = within(self.cap, (y - end) / 1.4)
        tip = self.choose({"short hair": 0.36, "long hair": 0.95, "twin tails": 0.5})
        inner = 0.42 + 0.08 * y + 0.12 * ((y - tip + 0.3) / 0.3).clamp(0, 2).square()
        locks = within(self.cap, side - 0.65 + 0.05 * (y - 0.1).clamp(min=0), inner - side, -0.5 - y)
        self.front = torch.minimum(fringe, locks)
        self.ring = (y + 0.5 - 0.12 * meridian.square() - 0.05 * self.notch).abs() - 0.05 + 0.03 * self.notch

    def choose(self, values: dict[str, float]) -> Field:
        """The value of the tag that each face has."""
        return sum(value * self.has[name] for name, value in values.items())

    def paint(
        self, shape: Field, fill: Color, strength: Field | float = 1.0, line: Color | None = None, width: float = 0.03
    ) -> None:
        """Fills a shape, with an outline if `line` is given; pixels at the edge are filled in part."""
        if line is not None:
            self.paint(shape, line, strength)
            shape = shape + width
        self.canvas.lerp_(fill, (0.5 - shape / self.pixel).clamp_(0, 1).mul_(strength))

    def render(self) -> Float[Tensor, "n 3 h w"]:
        """Paints all layers and returns the pictures, with values from 0 to 1."""
        self.paint(ellipse(self.x, self.y, 1, 1), WHITE, 0.25)
        for layer in (self.back_hair, self.body, self.head, self.mouth, self.eyes, self.front_hair, self.accessories):
            layer()
        return self.canvas

    def back_hair(self) -> None:
        y, side, has = self.y, self.side, self.has
        bottom = self.choose({"short hair": 0.42, "long hair": 2, "twin tails": 0.3}) + 0.03 * torch.cos(self.x * 22)
        flare = side - 0.67 - 0.1 * y.clamp(min=0) * has["long hair"]
        self.paint(within(self.cap, flare, y - bottom), 0.72 * self.hair, line=self.hairline)
        tails = ellipse(side - 0.82 - 0.1 * (y - 0.2), y - 0.26, 0.18, 0.62)
        self.paint(tails, 0.88 * self.hair, has["twin tails"], self.hairline)
        self.paint(within(tails + 0.05, 0.82 + 0.1 * (y - 0.2) - side), self.hair, has["twin tails"])
        self.paint(ellipse(side - 0.7, y + 0.27, 0.1, 0.1), self.ribbon, has["twin tails"], 0.5 * self.ribbon)
        ears = within(0.9 * (side - 0.43).abs() - 0.45 * (y + 1), y + 0.4)
        self.paint(ears, self.hair, has["cat ears"], self.hairline)
        self.paint(ears + 0.09, color(250, 184, 190), has["cat ears"])

    def body(self) -> None:
        y, side = self.y, self.side
        neck = within(side - 0.15, 0.3 - y, y - 1.2)
        self.paint(neck, self.skin, line=0.6 * self.skin)
        self.paint(within(neck + 0.03, self.face - 0.1), 0.8 * self.skin)
        neckline = 0.2 - side - (y - 0.68)
        coat = within(ellipse(side, y - 1.32, 0.8, 0.62), neckline)
        self.paint(coat, self.cloth, line=0.5 * self.cloth)
        self.paint(within(coat + 0.03, -0.15 - neckline), WHITE)
        self.paint(ellipse(side - 0.09, y - 0.88, 0.1, 0.06), self.ribbon, line=0.5 * self.ribbon, width=0.02)

    def head(self) -> None:
        y, side, cheeks = self.y, self.side, self.trait["cheeks"]
        line = 0.55 * self.skin
        self.paint(ellipse(side - cheeks, y - 0.15, 0.08, 0.12), 0.94 * self.skin, line=line)
        self.paint(self.face, self.skin, line=line)
        blush = torch.exp(-((side - 0.34) / 0.11).square() - ((y - 0.37) / 0.06).square())
        self.canvas.lerp_(color(245, 107, 107), blush * self.trait["blush"])
        self.paint(within(self.face + 0.03, self.front - 0.05), self.skin * color(230, 204, 204))
        self.paint(ellipse(self.x - 0.012, y - 0.31, 0.018, 0.03), 0.68 * self.skin)

    def mouth(self) -> None:
        x, y, opened = self.x, self.y - 0.44, self.has["open mouth"]
        bend = self.has["pout"] - self.has["smile"]
        line = within((y - bend * (6 * x.square() - 0.03)).abs() - 0.017, x.abs() - 0.08 - 0.04 * self.has["smile"])
        self.paint(line, MOUTH, 1 - opened)
        mouth = within(ellipse(x, y + 0.04, 0.115, 0.13), -0.03 - y)
        self.paint(mouth, color(190, 52, 62), opened, MOUTH, 0.018)
        self.paint(within(mouth + 0.02, ellipse(x, y - 0.1, 0.09, 0.06)), color(246, 132, 136), opened)

    def eyes(self) -> None:
        out, x, y = self.out, self.right - self.trait["gaze"], (self.y - EYE_DOWN) / self.trait["openness"]
        white = ellipse(out, y, 0.18, 0.215)
        self.paint(white, WHITE)
        self.paint(within(white, y + 0.12), color(200, 200, 220))
        iris = within(ellipse(x, y, 0.147, 0.207), white)
        self.paint(iris, self.eye, line=0.5 * self.eye, width=0.02)
        self.paint(within(iris + 0.02, y + 0.07), 0.7 * self.eye)
        self.paint(ellipse(x, y - 0.12, 0.075, 0.05), 0.4 + 0.6 * self.eye, 0.8)
        self.paint(ellipse(x, y, 0.05, 0.085), 0.18 * self.eye)
        self.paint(ellipse(x + 0.05, y + 0.085, 0.05, 0.055), WHITE)
        self.paint(ellipse(x - 0.06, y - 0.075, 0.024, 0.028), WHITE)
        lash = within(ellipse(out - 0.01, y, 0.21, 0.24), -ellipse(out, y - 0.045, 0.19, 0.225))
        self.paint(within(lash, y + 0.02 - 0.5 * out.clamp(min=0)), INK)
        self.paint(within(white.abs() - 0.01, 0.12 - y), INK, 0.7)

    def front_hair(self) -> None:
        y, out = self.y, self.out
        self.paint(self.front, self.hair, line=self.hairline)
        inside = self.front + 0.03
        self.paint(within(inside, 0.14 - y), 0.85 * self.hair, 0.8)
        self.paint(within(inside, 0.3 * (0.84 - self.notch)), 0.62 * self.hair, 0.75)
        self.paint(within(inside + 0.06, self.ring), 0.55 + 0.45 * self.hair, 0.75)
        arch = EYE_DOWN - 0.3 + 1.6 * out.square() + self.trait["brow"] * out
        self.paint(within((y - arch).abs() - 0.016, out.abs() - 0.12), self.hairline)

    def accessories(self) -> None:
        y = self.y - EYE_DOWN - 0.02
        rims, bridge = ellipse(self.out, y, 0.235, 0.245).abs() - 0.014, within(y.abs() - 0.014, self.side - 0.05)
        self.paint(torch.minimum(rims, bridge), INK, self.has["glasses"])
        x, y = self.x - 0.42, self.y + 0.58
        x, y = 0.88 * x + 0.47 * y, 0.88 * y - 0.47 * x
        bow = within(x.abs() - 0.24, 0.9 * (y.abs() - 0.05 - 0.5 * x.abs()))
        self.paint(bow, self.ribbon, self.has["hair bow"], 0.5 * self.ribbon)
        self.paint(ellipse(x, y, 0.075, 0.085), 0.85 * self.ribbon, self.has["hair bow"], 0.5 * self.ribbon)
