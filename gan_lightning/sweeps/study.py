"""A study of Optuna that several processes share: each takes trials, and repeats those of processes that died."""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from json import JSONDecodeError
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, Trial, TrialState

from gan_lightning.errors import UserError
from gan_lightning.sweeps import trials
from gan_lightning.sweeps.overrides import require_same_command
from gan_lightning.training.run_folder import ENDED, RunFolder

PULSE = "pulse"
"""The attribute of a trial that changes while its process lives."""
BEATS = 3
"""How many times the pulse may be missing before a process counts as dead."""
WAY_ON = "Give all processes the same command, but for hydra.*, or choose another hydra.sweep.dir or study_name"
"""What to do where the study was begun by another command."""
log = logging.getLogger(__name__)


@contextmanager
def _storage_errors() -> Iterator[None]:
    """Names the key of the storage where it fails.

    Raises:
        UserError: A file or a database cannot be read or written, or a journal is damaged.
    """
    try:
        yield
    except (OSError, JSONDecodeError, StorageInternalError) as error:
        reason = _reason(error.__cause__ or error)  # Optuna wraps the errors of databases
        raise UserError(
            f"hydra.sweeper.storage: {reason}. The same command goes on when it can be read and written again"
        ) from error


class SharedStudy:
    """A study, and the part that this process has in it.

    Args:
        study: Optuna's study.
        space: The distributions of the parameters.
        folder: The sweep's folder, in which each run has its folder.
        n_trials: The number of runs that the study shall have altogether.
        max_retries: How often a trial is repeated that failed or whose process died.
        heartbeat: The time between two pulses of a process, in seconds; 3 missing ones tell that it is dead.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: dict[str, BaseDistribution],
        folder: Path,
        n_trials: int,
        max_retries: int,
        heartbeat: float,
    ) -> None:
        self.study, self.space, self.folder = study, space, folder
        self.n_trials, self.max_retries, self.heartbeat = n_trials, max_retries, heartbeat
        self._pulses = trials.Pulses(BEATS * heartbeat)
        self._own: dict[int, Trial] = {}

    def folder_name(self, trial: Trial | FrozenTrial) -> str:
        """The name of the run folder, which all trials of one run have in common."""
        return f"trial_{trial.user_attrs.get(trials.RUN, trial.number):04d}"

    @_storage_errors()
    def advance(self) -> trials.Progress:
        """Lets others follow the trials that failed and those of dead processes; returns how far the study is."""
        for trial in self._trials():
            if trial.state == TrialState.RUNNING and trial.number not in self._own and self._is_dead(trial):
                log.info("%s: its process is gone; its run goes on", self.folder_name(trial))
                with suppress(UpdateFinishedTrialError):  # it has ended just now
                    self.study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
        progress = trials.progress(self._trials(), self.max_retries)
        for trial in progress.to_repeat:
            attributes = {trials.RUN: trials.run_number(trial), trials.FOLLOWS: trial.number}
            self.study.enqueue_trial(trial.params, user_attrs=attributes)
        return progress

    @_storage_errors()
    def take(self, count: int) -> list[Trial]:
        """Begins up to `count` trials; fewer, or none, if there are no more to train."""
        taken: list[Trial] = []
        while len(taken) < count:
            found = self._trials()
            waiting = any(trial.state == TrialState.WAITING for trial in found)
            if not waiting and len(trials.progress(found, self.max_retries).begun) >= self.n_trials:
                break
            with suppress(UpdateFinishedTrialError):  # the storage was out of reach for so long that others took it
                trial = self.study.ask(self.space)
                if trials.is_surplus(trial.number, self._trials(), self.n_trials):
                    trial.set_user_attr(trials.DISCARDED, True)
                    self.study.tell(trial, state=TrialState.FAIL)
                else:
                    self._own[trial.number] = trial
                    taken.append(trial)
        return taken

    @_storage_errors()
    def settle(self, trial: Trial, cut: bool) -> None:
        """Tells the study what a run's folder says of its end.

        Args:
            trial: A trial that this process has taken.
            cut: Whether the process was stopped; a run that has not ended is not to blame for it then.
        """
        run = RunFolder(self.folder / self.folder_name(trial))
        summary = {} if run.refusal.exists() else run.known_summary()
        objective = summary.get("objective")
        del self._own[trial.number]
        try:
            if summary.get("status") not in ENDED or objective is None:
                if cut:
                    trial.set_user_attr(trials.INTERRUPTED, True)
                self.study.tell(trial, state=TrialState.FAIL)
            elif summary["status"] == "pruned":  # Optuna takes the value from the report
                trial.report(objective, summary["step"])
                self.study.tell(trial, state=TrialState.PRUNED)
            else:
                self.study.tell(trial, objective)
        except JSONDecodeError:  # a ValueError, too
            raise
        except (ValueError, UpdateFinishedTrialError):
            log.warning("%s: others took this process for dead, and go on with its run", run.path.name)

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Shows the others, as long as it is open, that the trials of this process are alive."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(self.heartbeat):
                for trial in list(self._own.values()):
                    try:
                        trial.set_user_attr(PULSE, time.time())
                    except UpdateFinishedTrialError:
                        pass  # `settle` tells it
                    except Exception as error:  # a storage that comes back
                        log.warning("hydra.sweeper.storage: %s", error)

        thread = threading.Thread(target=beat, daemon=True, name="heartbeat")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _trials(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False)

    def _is_dead(self, trial: FrozenTrial) -> bool:
        """Whether a process has no pulse, nor a lock of the run folder, which a job may have without its sweep."""
        silent = self._pulses.is_silent(trial.number, trial.user_attrs.get(PULSE), time.monotonic())
        return silent and not RunFolder(self.folder / self.folder_name(trial)).is_locked()


class OwnDraws:
    """A sampler whose random numbers are its own as soon as other processes have a part in the study.

    All get the same seed, and would propose the same. A trial whose number does not come next is a sign of others, or
    of an earlier session.

    Args:
        sampler: A sampler of Optuna.
    """

    def __init__(self, sampler: optuna.samplers.BaseSampler) -> None:
        self._sampler = sampler
        self._next = 0

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        if trial.number != self._next:
            self._sampler.reseed_rng()
        self._next = trial.number + 1
        self._sampler.before_trial(study, trial)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sampler, name)


def open_study(storage: str, name: str, direction: Any, sampler: Any, command: dict[str, dict[str, str]]) -> Any:
    """Opens a study, or begins it.

    Args:
        storage: The path of a journal, or the URL of a database.
        name: The name of the study.
        direction: minimize or maximize.
        sampler: What proposes parameters.
        command: What all processes must have in common: texts by key, in sections.

    Raises:
        UserError: The storage cannot be used, or the study is another one.
    """
    try:
        study = optuna.create_study(
            storage=_storage(storage), study_name=name, direction=direction, sampler=sampler, load_if_exists=True
        )
        same = {"direction": {"hydra.sweeper.direction": direction}, **command}
        there = {"direction": {"hydra.sweeper.direction": study.direction.name.lower()}, **study.user_attrs}
        for section, here in same.items():
            require_same_command(f"the study {name!r}", there.get(section, here), here, WAY_ON)
            if section not in there:
                study.set_user_attr(section, here)
        return study
    except UserError:
        raise
    except Exception as error:  # databases, their drivers and SQLAlchemy raise many types
        raise UserError(
            f"hydra.sweeper.storage={_without_password(storage)}: {_reason(error)}. Expected the path of a file in "
            "a folder that exists, or the URL of a database, such as postgresql://user@host/name"
        ) from error


def _storage(place: str) -> Any:
    if "://" in place:
        return optuna.storages.get_storage(place)
    return optuna.storages.JournalStorage(JournalFileBackend(place, lock_obj=_Lock(place)))


class _Lock(JournalFileOpenLock):  # which works over NFS, too
    """Locks a journal for a writer, and removes the line that one before began without an end.

    A power cut or a full disk leaves such a line. Readers skip it, but the next line, appended to it, would make the
    journal unreadable for good.
    """

    def __init__(self, journal: str) -> None:
        super().__init__(journal)
        self._journal = journal

    def acquire(self) -> bool:
        acquired = super().acquire()
        try:
            with open(self._journal, "rb+") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(size - 1, 0))
                if file.read() not in (b"", b"\n"):
                    file.seek(0)
                    file.truncate(file.read().rfind(b"\n") + 1)
        except BaseException:
            self.release()
            raise
        return acquired


def _reason(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _without_password(place: str) -> str:
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:...@", place)
