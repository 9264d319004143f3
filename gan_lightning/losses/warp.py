"""Affine maps of images, resampled between a wavelet's low-pass filters: Karras et al. 2020 (arXiv:2006.06676), app. B.

The image is doubled in size, read at the mapped points by bilinear interpolation, and halved. Both filters are those of
an orthogonal wavelet, so that the identity gives the image back. Everything is linear in the image and has derivatives
of any order, unlike `grid_sample`, whose gradient, besides, is not deterministic on GPUs.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d

SYM6 = (
    *(0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633),
    *(0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252),
    *(-0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148),
)
"""The low-pass filter of the symlet of 6 vanishing moments; its sum is sqrt(2)."""


def warp(
    images: Float[Tensor, "batch channels height width"],
    linear: Float[Tensor, "batch 2 2"],
    shift: Float[Tensor, "batch 2"],
    taps: Float[Tensor, " taps"],
) -> Float[Tensor, "batch channels height width"]:
    """Moves the points of each image: the result at the point (x, y) is the image at linear (x, y) + shift.

    Points count from the center of the image, in pixels, to the right and down. Beyond its border, the image goes on
    reflected, without end; the outermost pixels are not repeated. (NVlabs' code ends one image further, with zeros.)

    Args:
        images: The images.
        linear: The linear part of each map.
        shift: Its translation, in pixels.
        taps: A low-pass filter, whose sum is 1 and whose length is a multiple of 4.
    """
    batch, channels, height, width = images.shape
    taps = taps.to(images.dtype)
    kernel = torch.outer(taps, taps)[None, None]
    doubled = _double(images, kernel)
    y, x = torch.meshgrid(*(_points(size, len(taps), images) for size in (height, width)), indexing="ij")
    mapped = torch.stack([x, y], -1).flatten(0, 1) @ linear.mT + shift.unsqueeze(1)
    columns, rows = (
        mapped.view(batch, *x.shape, 2)[..., axis] * 2 + size - 1 for axis, size in ((0, width), (1, height))
    )
    read = _read(doubled, rows, columns).permute(0, 3, 1, 2).flatten(0, 1).unsqueeze(1)
    return conv2d(read, kernel, stride=2).view(batch, channels, height, width)


def _double(images: Tensor, kernel: Tensor) -> Float[Tensor, "batch channels rows columns"]:
    """One period of the reflected image, 2 (size - 1) pixels a side, doubled in size."""
    length = kernel.shape[-1]
    rows, columns = (_reflected(size, length // 4, images.device) for size in images.shape[2:])
    period = images[:, :, rows][..., columns]
    doubled = conv_transpose2d(period.flatten(0, 1).unsqueeze(1), 4 * kernel, stride=2, padding=length - 1)
    return doubled.view(*images.shape[:2], *doubled.shape[2:])


def _reflected(size: int, margin: int, device: torch.device) -> Int[Tensor, " indices"]:
    """The pixels of one period, and of `margin` more on both sides."""
    period = 2 * max(size - 1, 1)
    index = torch.arange(-margin, period + margin, device=device) % period
    return torch.minimum(index, period - index).clamp(max=size - 1)


def _points(size: int, taps: int, like: Tensor) -> Float[Tensor, " points"]:
    """The coordinates at which the doubled result is needed, from the center of the image in its pixels."""
    margin = taps // 2 - 1
    index = torch.arange(-margin, 2 * size + margin, dtype=like.dtype, device=like.device)
    return (index - (size - 1)) / 2


def _read(
    maps: Float[Tensor, "batch channels rows columns"], y: Float[Tensor, "batch h w"], x: Float[Tensor, "batch h w"]
) -> Float[Tensor, "batch h w channels"]:
    """The periodic maps at the row y and the column x, by bilinear interpolation."""
    samples = torch.arange(len(maps), device=maps.device)[:, None, None]
    above, left = y.floor(), x.floor()
    top, bottom = ((above.long() + step) % maps.shape[2] for step in (0, 1))
    first, second = ((left.long() + step) % maps.shape[3] for step in (0, 1))
    down, right = (y - above).unsqueeze(-1), (x - left).unsqueeze(-1)
    pixels = maps.permute(0, 2, 3, 1)
    upper = pixels[samples, top, first].lerp(pixels[samples, top, second], right)
    lower = pixels[samples, bottom, first].lerp(pixels[samples, bottom, second], right)
    return upper.lerp(lower, down)


def rotation(angle: Float[Tensor, " batch"]) -> Float[Tensor, "batch 2 2"]:
    """The rotation of points (x, y), from x towards y."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos, -sin, sin, cos], -1).view(-1, 2, 2)


def scaling(x: Float[Tensor, " batch"], y: Float[Tensor, " batch"]) -> Float[Tensor, "batch 2 2"]:
    """The multiplication of x and of y."""
    return torch.stack([x, y], -1).diag_embed()


def low_pass() -> Float[Tensor, " taps"]:
    """`SYM6`, with the sum 1."""
    taps = torch.tensor(SYM6)
    return taps / taps.sum()
