"""The rules of a study that several processes share: which trials count, and which are tried again.

A *run* is one set of parameters, with one run folder. It has one trial, or several: where a trial fails, or its process
dies, another one follows it, with the same parameters and the same run folder.

Processes ask for trials at the same time, and no lock is held between what one of them reads and what it writes. So a
trial counts by its place among the others, which is the same for all processes: Optuna numbers the trials in the order
in which its storage gets them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from optuna.trial import FrozenTrial, TrialState

FOLLOWS = "follows"
"""The attribute of a trial with the number of the one that it repeats."""
RUN = "run"
"""The attribute of such a trial with the number of the first trial of its run."""
DISCARDED = "discarded"
"""The attribute of a trial that was asked for once too often: it was not trained."""
INTERRUPTED = "interrupted"
"""The attribute of a trial that Ctrl-C or SIGTERM ended, which is not its own fault."""


@dataclass(frozen=True)
class Progress:
    """How far a study is.

    Attributes:
        begun: The numbers of the runs, in their order.
        ended: The numbers of those that are completed, pruned, or failed for good.
        failed: The numbers of those that failed for good.
        to_repeat: The trials that another one has to follow.
    """

    begun: Sequence[int]
    ended: Sequence[int]
    failed: Sequence[int]
    to_repeat: Sequence[FrozenTrial]


def run_number(trial: FrozenTrial) -> int:
    """The number of the first trial of a trial's run."""
    return trial.user_attrs.get(RUN, trial.number)


def counted(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """The trials in their order, without those that were discarded, or that are the second one to follow another."""
    followed: set[int] = set()
    found = []
    for trial in sorted(trials, key=lambda trial: trial.number):
        before = trial.user_attrs.get(FOLLOWS)
        if DISCARDED in trial.user_attrs or before in followed:
            continue
        if before is not None:
            followed.add(before)
        found.append(trial)
    return found


def progress(trials: Iterable[FrozenTrial], max_retries: int) -> Progress:
    """How far the study of these trials is.

    Args:
        trials: All trials of the study.
        max_retries: How often a trial is repeated that failed or whose process died. Interruptions do not count.
    """
    runs: dict[int, list[FrozenTrial]] = {}
    for trial in counted(trials):
        runs.setdefault(run_number(trial), []).append(trial)
    ended, failed, to_repeat = [], [], []
    for number, attempts in runs.items():
        last = attempts[-1]
        if last.state in (TrialState.COMPLETE, TrialState.PRUNED):
            ended.append(number)
        elif last.state == TrialState.FAIL:
            own = [a for a in attempts if a.state == TrialState.FAIL and INTERRUPTED not in a.user_attrs]
            if len(own) > max_retries:
                ended.append(number)
                failed.append(number)
            else:
                to_repeat.append(last)
    return Progress(list(runs), ended, failed, to_repeat)


def is_surplus(number: int, trials: Iterable[FrozenTrial], n_trials: int) -> bool:
    """Whether a trial that was just begun must not be trained, since others were as quick."""
    found = counted(trials)
    begun = [trial.number for trial in found if FOLLOWS not in trial.user_attrs]
    return number not in {trial.number for trial in found} or number in begun[n_trials:]


class Pulses:
    """Tells whose process is gone: the ones whose pulse has not changed for `patience` seconds, by this clock alone.

    Args:
        patience: The time after which a process without a pulse counts as dead, in seconds.
    """

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self._seen: dict[int, tuple[object, float]] = {}

    def is_silent(self, number: int, pulse: object, now: float) -> bool:
        """Whether trial `number` has had the same pulse for too long, at the time `now` in seconds."""
        if number not in self._seen or self._seen[number][0] != pulse:
            self._seen[number] = (pulse, now)
        return now - self._seen[number][1] > self.patience
