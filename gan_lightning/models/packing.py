"""Packs: a discriminator that sees several samples at a time, Lin et al. 2018 (arXiv:1712.04086)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor

from gan_lightning.errors import UserError
from gan_lightning.losses import AdaptiveAugment

if TYPE_CHECKING:
    from gan_lightning.models.gan import GAN


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


def require_packable(model: GAN) -> None:
    """Raises a ValueError if D sees several samples at a time, and another part needs single ones."""
    if model.pack == 1:
        return
    if model.heads:
        raise ValueError(
            f"model.pack={model.pack}: the heads {', '.join(model.heads)} need D's features of single samples; "
            "set it to 1"
        )
    if isinstance(model.augment, AdaptiveAugment):
        raise ValueError(
            f"model.pack={model.pack}: AdaptiveAugment counts images by their logits, and a pack has one; choose "
            "augment=diffaugment, or set it to 1"
        )
