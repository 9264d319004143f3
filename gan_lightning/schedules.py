"""Schedules: curves that give a number of a model as a function of the position in the run.

A curve has no state, so a resumed run goes on exactly. It is called with the position and with the number that the
configuration sets, which it starts from unless it has a number of its own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gan_lightning.specs import Described

Unit = Literal["batches", "images", "run"]
NAMES = re.compile(
    r"((generator|discriminator)_)?optimizer\.\w+(\.\d+)?|penalties\.\w+\.\w+|(generator_)?regularizers\.\w+\.weight"
    r"|augment\.(p|std)|loss\.share|ema\.half_life"
)
"""The names of numbers that can have a schedule."""
NAMES_SHOWN = (
    "optimizer.lr, optimizer.betas.1, generator_optimizer.lr, discriminator_optimizer.lr, penalties.<name>.weight, "
    "regularizers.<name>.weight, generator_regularizers.<name>.weight, augment.p, augment.std, loss.share, "
    "ema.half_life"
)
"""The same, for messages."""


@dataclass(frozen=True)
class Position:
    """The position of a batch in the run, in each unit of a schedule.

    Attributes:
        batches: The number of batches before this one.
        images: The number of real images in them, over all processes.
        run: Their share of all batches of the run, in [0, 1).
    """

    batches: int
    images: int
    run: float


class Schedule(Described):
    """A curve. A subclass defines `value`.

    Args:
        unit: What the positions of the curve count: "batches", which are discriminator updates; real "images" over all
            processes; or shares of the "run", from 0 to 1.
    """

    def __init__(self, unit: Unit = "batches") -> None:
        self.unit = unit

    def __call__(self, position: Position, base: float) -> float:
        """Returns the number at a position; `base` is the number that the configuration sets."""
        return self.value(getattr(position, self.unit), base)

    def value(self, position: float, base: float) -> float:
        """Returns the number at a position in the curve's own unit."""
        raise NotImplementedError


class Constant(Schedule):
    """A number that does not change, or changes once: `before` up to the position `begin`, and `value` from there on.

    Args:
        value: The number; None: the one that the configuration sets.
        begin: The position at which it begins.
        before: The number before that.
        unit: As of `Schedule`.
    """

    def __init__(
        self, value: float | None = None, *, begin: float = 0, before: float = 0.0, unit: Unit = "batches"
    ) -> None:
        super().__init__(unit)
        self.constant, self.begin, self.before = value, begin, before

    def value(self, position: float, base: float) -> float:
        if position < self.begin:
            return self.before
        return base if self.constant is None else self.constant


class _Ramp(Schedule):
    """A curve that goes from one number to another. A subclass defines `progress`.

    Args:
        end: The number from the position `until` on.
        until: The position at which the curve ends.
        start: The number up to the position `begin`; None: the one that the configuration sets.
        begin: The position at which the curve begins.
        unit: As of `Schedule`.

    Raises:
        ValueError: The curve ends before it has begun.
    """

    def __init__(
        self, end: float, until: float, *, start: float | None = None, begin: float = 0, unit: Unit = "batches"
    ) -> None:
        super().__init__(unit)
        if until <= begin:
            raise ValueError(f"until={until}: expected more than begin={begin}")
        if unit == "run" and until > 1:
            raise ValueError(f"until={until}: expected at most 1, the whole run; or unit=batches, unit=images")
        self.start, self.end, self.begin, self.until = start, end, begin, until

    def value(self, position: float, base: float) -> float:
        start = base if self.start is None else self.start
        if position >= self.until:  # exactly
            return self.end
        passed = max(0.0, (position - self.begin) / (self.until - self.begin))
        return start + (self.end - start) * self.progress(passed)

    def progress(self, passed: float) -> float:
        """Returns the share of the way to `end`; `passed` is the share of the positions, in [0, 1)."""
        raise NotImplementedError


class Linear(_Ramp):
    """start + (end - start) t, with t from 0 at `begin` to 1 at `until`, and constant outside of them."""

    def progress(self, passed: float) -> float:
        return passed


class Cosine(_Ramp):
    """start + (end - start) (1 - cos(pi t)) / 2: Loshchilov & Hutter 2017 (arXiv:1608.03983), eq. 5, without restarts.

    t goes from 0 at `begin` to 1 at `until`; the number is constant outside of them.
    """

    def progress(self, passed: float) -> float:
        return (1 - math.cos(math.pi * passed)) / 2


class Steps(Schedule):
    """start * factor^k, but at least `floor`; k is the number of whole intervals `every` that have passed.

    Args:
        factor: The factor of each step.
        every: The length of an interval.
        start: The number of the first interval; None: the one that the configuration sets.
        floor: The smallest number; None: there is none.
        unit: As of `Schedule`.

    Raises:
        ValueError: The interval has no length, or the factor is negative.
    """

    def __init__(
        self,
        factor: float,
        every: float,
        *,
        start: float | None = None,
        floor: float | None = None,
        unit: Unit = "batches",
    ) -> None:
        super().__init__(unit)
        if every <= 0 or factor < 0:
            raise ValueError(f"every={every}, factor={factor}: expected an interval above 0, and a factor from 0")
        self.factor, self.every, self.start, self.floor = factor, every, start, floor

    def value(self, position: float, base: float) -> float:
        number = (base if self.start is None else self.start) * self.factor ** (position // self.every)
        return number if self.floor is None else max(number, self.floor)


def by_name(schedules: Mapping[str, Any] | None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the schedules of nested mappings with their dotted names; None stands for no schedule."""
    for key, found in (schedules or {}).items():
        name = f"{prefix}.{key}".lstrip(".")
        if isinstance(found, Mapping) and "_target_" not in found:
            yield from by_name(found, name)
        elif found is not None:
            yield name, found


def by_run(schedules: Mapping[str, Any] | None) -> list[str]:
    """Returns the keys of a model's schedules whose positions are shares of the run: another length changes them.

    A text, such as an interpolation in the configuration of a run that could not start, stands for no schedule.
    """
    found = by_name(schedules, "model.schedules")
    return [key for key, curve in found if isinstance(curve, Mapping) and curve.get("unit") == "run"]
