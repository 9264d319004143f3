"""Packs: a discriminator that sees several samples at a time, Lin et al. 2018 (arXiv:1712.04086)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from gan_lightning.errors import UserError


def pack(rows: Float[Tensor, "batch channels *size"], count: int) -> Float[Tensor, "packs packed *size"]:
    """Concatenates every `count` neighbors along their channels (or features): (batch / count, count * channels, ...).

    Raises:
        UserError: The number of rows is no multiple of `count`.
    """
    if len(rows) % count:
        raise UserError(f"model.pack={count}: expected a divisor of the {len(rows)} samples that a process has at once")
    return rows.unflatten(0, (-1, count)).flatten(1, 2)


def unpack(packs: Float[Tensor, "packs packed *size"], count: int) -> Float[Tensor, "batch channels *size"]:
    """Returns the rows of which `pack` has made these packs."""
    return packs.unflatten(1, (count, -1)).flatten(0, 1)
