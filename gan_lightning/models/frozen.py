"""FreezeD: a discriminator whose first blocks do not train, for a model that is trained further on few pictures."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from gan_lightning.errors import UserError


def freeze_blocks(discriminator: nn.Module, count: int) -> None:
    """Freezes the first blocks of a discriminator: Mo et al. 2020 (arXiv:2002.10964), section 2.

    As in the authors' code, their weights do not change, and statistics of batch norm in them do. What maps a
    condition to a channel of the image is no part of a block, and trains.

    Args:
        discriminator: A network whose attribute `body` maps a sample to features.
        count: The number of blocks to freeze; 0: none.

    Raises:
        UserError: The network has no blocks, or not so many.
    """
    if count == 0:
        return
    found = blocks(discriminator)
    if count > len(found):
        name = type(discriminator).__name__
        has = f"{len(found)} blocks before its last layer" if found else "no blocks; choose another network="
        raise UserError(f"model.freeze_discriminator={count}: {name} has {has}")
    for block in found[:count]:
        for layer in block:
            layer.requires_grad_(False)


def blocks(discriminator: nn.Module) -> list[list[nn.Module]]:
    """Returns the blocks of a discriminator from the image on: a part with weights, and what follows it."""
    found: list[list[nn.Module]] = []
    for layer in _layers(getattr(discriminator, "body", None)):
        if any(weight.ndim > 1 for weight in layer.parameters()):
            found.append([layer])
        elif found:
            found[-1].append(layer)
    return found


def _layers(body: nn.Module | None) -> Iterator[nn.Module]:
    """Yields the parts of a sequence, and of one inside of it; a body of another class has them as `parts()`."""
    parts = body if isinstance(body, nn.Sequential) else body.parts() if hasattr(body, "parts") else ()  # type: ignore
    for part in parts:
        if isinstance(part, nn.Sequential):
            yield from _layers(part)
        else:
            yield part
