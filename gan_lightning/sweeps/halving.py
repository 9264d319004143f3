"""Successive halving: how many candidates train how long, and which of them go on.

Jamieson & Talwalkar 2016 (arXiv:1502.07943), in the form of Hyperband's inner loop, Li et al. 2018 (arXiv:1603.06560),
algorithm 1: all candidates train for a part of the budget, the best of each `eta` go on to `eta` times as much, and so
on. Ours differ in that a candidate that goes on does not begin anew, and in that the last rung has at least two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping


def enough_rungs(candidates: int, eta: int) -> int:
    """The number of rungs after which at most `eta` candidates are compared at the full length."""
    rungs = 1
    while eta**rungs < candidates:
        rungs += 1
    return rungs


def sizes(candidates: int, rungs: int, eta: int) -> list[int]:
    """The number of candidates in each rung."""
    return [math.ceil(candidates / eta**rung) for rung in range(rungs)]


def lengths(longest: float, rungs: int, eta: int) -> list[float]:
    """The length of a run at the end of each rung, the first one included; that of the last rung is `longest`."""
    return [longest / eta ** (rungs - 1 - rung) for rung in range(rungs)]


def best(figures: Mapping[str, float | None], count: int, maximize: bool) -> list[str]:
    """The names of the best, at most `count`; those without a figure are never among them. Ties keep their order."""
    found = {name: figure for name, figure in figures.items() if figure is not None}
    return sorted(found, key=lambda name: -found[name] if maximize else found[name])[:count]
