"""Guards against losses that are not finite: no optimizer steps along such a loss, and training stops."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch.optim import Optimizer

from gan_lightning._compat.torch import honors_found_inf, set_if_not_finite_
from gan_lightning.losses import Player, Terms


class FiniteGuard:
    """Reads the losses of every update before the optimizers step. On a GPU, that makes every update wait for it."""

    def check(self, batch_index: int, losses: Mapping[Player, Terms]) -> None:
        """Looks at the terms of an update, the scalars of each player's loss, before the optimizers step.

        Raises:
            FloatingPointError: A term is not finite.
        """
        for player, terms in losses.items():
            _require_finite(batch_index, player, terms)

    def require_finite(self) -> None:
        """Reads what `check` has not read yet. Here it has read everything.

        Raises:
            FloatingPointError: A term was not finite in an earlier update.
        """


class DeviceFiniteGuard(FiniteGuard):
    """Keeps a flag on the device instead, so that no update waits for it.

    The first term that is not finite sets the flag. From then on, every step of every optimizer changes nothing: the
    flag is their `found_inf`, by which fused optimizers skip a step. `require_finite` reads the flag.

    Args:
        optimizers: The optimizers of all players; `honors_found_inf` is true of each.
        device: The device of their parameters.
    """

    MOST_UNREAD = 1000
    """The number of updates after which `check` reads the flag itself: it keeps the terms of all updates till then."""

    def __init__(self, optimizers: Sequence[Optimizer], device: torch.device) -> None:
        self._found_inf, self._one = torch.zeros((), device=device), torch.ones((), device=device)
        self._unread: list[tuple[int, Player, Terms]] = []
        for optimizer in optimizers:
            optimizer.found_inf = self._found_inf  # type: ignore[attr-defined]

    def check(self, batch_index: int, losses: Mapping[Player, Terms]) -> None:
        found = [term for terms in losses.values() for term in terms.values()]
        set_if_not_finite_(self._found_inf, found, self._one)
        self._unread += [(batch_index, player, terms) for player, terms in losses.items()]
        if len(self._unread) >= self.MOST_UNREAD:
            self.require_finite()

    def require_finite(self) -> None:
        if self._unread and self._found_inf.item():
            for update in self._unread:
                _require_finite(*update)
        self._unread.clear()


def finite_guard(optimizers: Sequence[Optimizer], device: torch.device, has_grad_scaler: bool) -> FiniteGuard:
    """Returns the guard on the device where that saves waiting and the optimizers can skip a step.

    On the CPU nothing waits, and an immediate stop is better. A GradScaler sets `found_inf` itself.
    """
    if device.type == "cpu" or has_grad_scaler or not all(map(honors_found_inf, optimizers)):
        return FiniteGuard()
    return DeviceFiniteGuard(optimizers, device)


def _require_finite(batch_index: int, player: Player, terms: Terms) -> None:
    values = [term.item() for term in terms.values()]
    if not all(map(math.isfinite, values)):
        named = ", ".join(f"{name}={value:g}" for name, value in zip(terms, values, strict=True))
        raise FloatingPointError(
            f"the {player}'s loss is not finite at batch {batch_index + 1}: {named}. Its optimizer has not "
            "moved. A smaller model.optimizer.lr or a model.gradient_clip_norm may help: branch_from=<checkpoint> "
            "starts a new run there with them"
        )
