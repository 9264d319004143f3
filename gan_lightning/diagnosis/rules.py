"""When a state holds: rules on the signs of a run so far, the same for every variant.

The thresholds were chosen on the seeds 0 and 1 of `benchmarks/doctor.py`; its table tells what the others gave.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from gan_lightning.diagnosis.signs import Signs

History = Sequence[Signs]
"""The signs of a run so far, at least one, in their order."""


def recent(history: History, sign: str, count: int) -> float:
    """The median of a sign over the last `count` measurements; NaN if one of them is missing or NaN."""
    values = [getattr(signs, sign) for signs in history[-count:]]
    return statistics.median(values) if len(values) == count and not any(map(math.isnan, values)) else math.nan


def improves(history: History, count: int) -> bool:
    """Whether the distance to the data has fallen in the last `count` measurements to a tenth below all before.

    Where there are no more measurements, or no distance, nobody knows, and it counts as if it had.
    """
    distances = [signs.distance for signs in history]
    if len(distances) <= count or math.isnan(distances[-1]):
        return True
    return min(distances[-count:]) < 0.9 * min(distances[:-count])


def is_good(signs: Signs) -> bool:
    """Whether samples are so near to the data, at a glance, that nothing is wrong with them."""
    return signs.distance < 0.05 and signs.coverage > 0.7


def is_far(signs: Signs) -> bool:
    """Whether samples are so far from the data that something may be wrong."""
    return signs.distance > 0.1 or signs.coverage < 0.5


def is_few(signs: Signs) -> bool:
    """Whether samples are too much alike, or leave out a part of the data; at the beginning of a run they do, too."""
    return signs.spread < 0.5 or signs.coverage < 0.25 or signs.missing > 0.45


def crawls(history: History) -> bool:
    """Whether G's samples have hardly changed since the run began, though its gradient does not vanish."""
    moved = [signs.moved for signs in history[1:]]
    return len(moved) > 3 and all(distance < 0.03 for distance in moved) and recent(history, "gradient_g", 3) > 0.01


def explodes(history: History) -> bool:
    now = history[-1]
    return any(size > 1e4 for size in (now.gradient_d, now.gradient_g, now.logit))  # of NaN it is false


def is_dead(history: History) -> bool:
    return len(history) > 2 and bool(set(history[-1].dead) & set(history[-2].dead) & set(history[-3].dead))


def ema_lags(history: History) -> bool:
    now = history[-1]
    return len(history) > 4 and now.ema_distance > 4 and now.ema_gap > 0.3


def learns_nothing(history: History) -> bool:
    return recent(history, "separation", 3) < 0.6 and is_far(history[-1]) and not improves(history, 4)


def wins(history: History) -> bool:
    separates = recent(history, "separation", 5) > 0.98
    return separates and is_far(history[-1]) and not improves(history, 5) and not crawls(history)


def collapses(history: History) -> bool:
    return is_few(history[-1]) and not improves(history, 4) and not crawls(history)


def oscillates(history: History) -> bool:
    return recent(history, "moved", 6) > 0.4 and recent(history, "distance", 6) > 0.1


def memorizes(history: History) -> bool:
    return recent(history, "novelty", 3) < 0.8


def overfits(history: History) -> bool:
    return recent(history, "overfit", 3) > 0.3


def stands_still(history: History) -> bool:
    count = 4 if crawls(history) else max(12, len(history) // 3)
    return is_far(history[-1]) and not improves(history, count)
