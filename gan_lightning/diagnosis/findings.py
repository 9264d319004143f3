"""From the signs of a run to its state: what holds, since when, by which evidence, and what to change."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from gan_lightning.diagnosis import rules
from gan_lightning.diagnosis.signs import Signs
from gan_lightning.diagnosis.states import COLLAPSE, STATES, State

SHOWN = 50
"""The largest number of points of the curve that a finding has as evidence."""


@dataclass(frozen=True)
class Finding:
    """A state that the run is in.

    Attributes:
        state: The state.
        since: The batch at which it was first seen.
        evidence: The measured numbers, in words.
        curve: The sign that shows it best, as pairs (batch, value).
    """

    state: State
    since: int
    evidence: str
    curve: list[tuple[int, float]]

    @property
    def line(self) -> str:
        """The finding in a few words."""
        return f"{self.state.title} since batch {self.since:,}"

    def as_dict(self) -> dict[str, Any]:
        """The finding as `summary.json` has it."""
        return {
            **{"state": self.state.name, "title": self.state.title, "since": self.since},
            **{"evidence": self.evidence, "sign": self.state.sign, "curve": [list(point) for point in self.curve]},
            **{"meaning": self.state.meaning, "advice": dict(self.state.advice), "source": self.state.source},
        }


@dataclass
class Diagnosis:
    """The signs of a run so far, and the states that they point to.

    A state is found once it has held at `patience` measurements in a row, so that a wiggle is none.
    """

    history: list[Signs] = field(default_factory=list)
    course: list[tuple[int, list[str]]] = field(default_factory=list)
    """The batches at which the findings changed, each with the names of the states found from there on."""
    held: dict[str, list[int]] = field(default_factory=dict)
    """The batches since which each state holds without a break, by its name: the first one, and their number."""
    begin: int = 0
    """The number of measurements before the last rollback: the run is judged by those after it."""

    def add(self, signs: Signs) -> None:
        """Takes further signs."""
        self.history.append(signs)
        judged = self.history[self.begin :]
        for state in STATES:
            if state.holds(judged):
                self.held.setdefault(state.name, [signs.step, 0])[1] += 1
            else:
                self.held.pop(state.name, None)
        names = [state.name for state in self._states()]
        if names != (self.course[-1][1] if self.course else []):
            self.course.append((signs.step, names))

    @property
    def is_healthy(self) -> bool:
        """Whether there is no sign of a collapse: samples are diverse, or as near to the data as never before."""
        now = self.history[-1]
        nearest = now.distance <= min(signs.distance for signs in self.history)
        return COLLAPSE not in self.held and (nearest or not rules.is_few(now))

    def findings(self) -> list[Finding]:
        """The states that the run is in, the gravest first; what follows from a graver one is left out."""
        return [self._finding(state) for state in self._states()]

    def _states(self) -> list[State]:
        found = [state for state in STATES if self.held.get(state.name, (0, 0))[1] >= state.patience]
        hidden = {name for state in found for name in state.hides}
        shown = [state for state in found if state.name not in hidden]
        return [state for state in shown if state.is_problem] or shown  # a run with a problem is not good

    def _finding(self, state: State) -> Finding:
        values = ((signs.step, getattr(signs, state.sign)) for signs in self.history)
        points = [(step, value) for step, value in values if not math.isnan(value)]
        stride = max(-(-len(points) // SHOWN), 1)
        curve = points[::-1][::stride][::-1]  # the last one is among them
        return Finding(state, self.held[state.name][0], state.evidence(self.history[self.begin :]), curve)
