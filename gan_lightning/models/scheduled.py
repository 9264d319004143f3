"""The numbers of a model that have a schedule, at every batch."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from lightning import Trainer
from torch.optim import Optimizer

from gan_lightning.cadence import StepCallback
from gan_lightning.errors import UserError
from gan_lightning.losses import Player
from gan_lightning.schedules import Position, Schedule

_OF_OPTIMIZER = re.compile(r"(?:(generator|discriminator)_)?optimizer\.(\w+?)(?:\.(\d+))?")


class ScheduledNumbers:
    """The schedules of a run, with the numbers that they start from.

    Args:
        schedules: The schedules, by the names of their numbers.
        numbers: The model's numbers that can have one, by name, as the configuration sets them.
        trainer: The Trainer, which knows the length of the run, and callbacks with such numbers of their own.

    Raises:
        UserError: There is no number of such a name, or the run has no end and a schedule goes by its share.
    """

    def __init__(self, schedules: Mapping[str, Schedule], numbers: Mapping[str, float], trainer: Trainer) -> None:
        self._schedules = schedules
        self._numbers = dict(numbers)
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            self._numbers |= callback.schedulable() if isinstance(callback, StepCallback) else {}
        self._run = math.inf
        for name, schedule in schedules.items():
            if name not in self._numbers:
                known = ", ".join(sorted(self._numbers))
                raise UserError(f"model.schedules.{name}: the model has no such number to schedule. There are: {known}")
            if schedule.unit == "run":
                self._run = trainer.estimated_stepping_batches
                if not 0 < self._run < math.inf:
                    raise UserError(
                        f"model.schedules.{name}: unit=run needs a run with an end; set trainer.max_steps, or "
                        "unit=batches"
                    )

    def at(self, batch_index: int, batch_size: int) -> dict[str, float]:
        """Returns the numbers of a batch by name; `batch_size` counts over all processes."""
        position = Position(batch_index, batch_index * batch_size, batch_index / self._run)
        return {name: schedule(position, self._numbers[name]) for name, schedule in self._schedules.items()}


def require_fitting(schedules: Mapping[str, Any], has_scheduler: bool) -> None:
    """Raises a ValueError if a schedule is none, or if two of them set the same number of an optimizer."""
    seen: dict[tuple[Any, ...], str] = {}
    for name, schedule in schedules.items():
        if not isinstance(schedule, Schedule):
            raise ValueError(f"model.schedules.{name}={schedule!r}: expected a curve of gan_lightning.schedules")
        match = _OF_OPTIMIZER.fullmatch(name)
        if match is None:
            continue
        player, *number = match.groups()
        if has_scheduler and number[0] == "lr":
            raise ValueError(
                f"model.schedules.{name}: model.scheduler sets the learning rate, too; set one of them to null"
            )
        for each in (player,) if player else ("generator", "discriminator"):
            if other := seen.get((each, *number)):
                raise ValueError(f"model.schedules.{name}: {other} sets the same number; set one of them to null")
            seen[(each, *number)] = name


def optimizer_numbers(optimizers: Mapping[Player, Optimizer]) -> dict[str, float]:
    """Returns the numbers that optimizers were built with, as `generator_optimizer.lr`, `optimizer.betas.1`.

    Those without a player are numbers that all players have in common.
    """
    of_players = {player: dict(_numbers(optimizer.defaults)) for player, optimizer in optimizers.items()}
    first, *others = of_players.values()
    shared = {name: value for name, value in first.items() if all(each.get(name) == value for each in others)}
    own = {f"{player}_optimizer.{name}": value for player, each in of_players.items() for name, value in each.items()}
    return {f"optimizer.{name}": value for name, value in shared.items()} | own


def _numbers(options: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in options.items():
        several = isinstance(value, tuple | list)
        for key, each in (
            ((f"{name}.{index}", each) for index, each in enumerate(value)) if several else [(name, value)]
        ):
            if isinstance(each, int | float) and not isinstance(each, bool):
                yield key, each


def set_options(optimizers: Mapping[Player, Any], scheduled: Mapping[str, float]) -> None:
    """Gives the players' optimizers those of the scheduled numbers that are theirs."""
    for name, value in scheduled.items():
        match = _OF_OPTIMIZER.fullmatch(name)
        if match is None:
            continue
        player, option, index = match.groups()
        for optimizer in [optimizers[player]] if player else optimizers.values():  # type: ignore[index]
            for group in optimizer.param_groups:
                if index is None:
                    group[option] = value
                else:
                    group[option] = tuple(value if i == int(index) else old for i, old in enumerate(group[option]))
