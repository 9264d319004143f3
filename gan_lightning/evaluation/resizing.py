"""How images are resized to the input of a published network: other resizing gives other metrics."""

from __future__ import annotations

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import interpolate


def clean_resized(images: UInt8[Tensor, "n c height width"], size: int) -> Float[Tensor, "n c {size} {size}"]:
    """Resizes as clean-fid does with Pillow: Parmar et al. 2022 (arXiv:2104.11222), section 3. From 0 to 255, float32.

    In float64 the difference to Pillow is the rounding to float32, 2e-5 of 255; in float32 torch's weights are less
    exact, and it is up to 6e-3.
    """
    exact = images.cpu() if images.device.type == "mps" else images  # which has no float64
    resized = interpolate(exact.double(), (size, size), mode="bicubic", antialias=True)
    return resized.clamp_(0, 255).to(images.device, torch.float32)


def tensorflow_resized(images: UInt8[Tensor, "n c height width"], size: int) -> Float[Tensor, "n c {size} {size}"]:
    """Resizes as TensorFlow 1 did: bilinearly, with the corners not in the middle of pixels, and with aliasing."""
    from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

    return interpolate_bilinear_2d_like_tensorflow1x(images.float(), (size, size), align_corners=False)
