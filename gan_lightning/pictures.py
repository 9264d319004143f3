"""Tensors as pictures for people."""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor
from torchvision.utils import make_grid


def grid(images: Float[Tensor, "count channels height width"]) -> Float[Tensor, "3 rows columns"]:
    """Images in [-1, 1] as one picture in [0, 1], as square as it can be."""
    columns = math.ceil(math.sqrt(len(images)))
    return make_grid(images.detach().cpu(), nrow=columns, normalize=True, value_range=(-1, 1))
