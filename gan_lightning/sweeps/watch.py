"""What a sweep says while it trains: a line for each job that has ended, with the time left."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from gan_lightning.errors import UserError
from gan_lightning.files import write_json
from gan_lightning.terminal import printable
from gan_lightning.training.run_folder import ENDED, RunFolder

PLAN = "sweep.json"
"""The file in a sweep's folder with the largest number of jobs, and the objective."""


class Watch(threading.Thread):
    """Prints a line when a job has ended, in whichever process it ran.

    Args:
        folder: The sweep's folder.
        work: The relative length of each job, in the order in which they end.
        done: The number of jobs that have ended, and that are not launched again.
        ended_before: The folders of jobs that have ended, and that are launched again.
    """

    def __init__(self, folder: Path, work: Sequence[float], done: int = 0, ended_before: Collection[Path] = ()) -> None:
        super().__init__(daemon=True)
        self.folder, self.work, self.since = folder, work, time.time()
        self._over = threading.Event()
        self._done, self._ended_before = done, ended_before
        self._reported: dict[Path, tuple[str | None, float]] = {}
        self._worked = 0.0

    def run(self) -> None:
        while not self._over.wait(0.5):
            self.poll()

    def stop(self) -> None:
        """Stops the thread and reports the jobs that ended since its last poll."""
        self._over.set()
        if self.ident:
            self.join()
        self.poll()

    def poll(self) -> None:
        """Reports the jobs that have ended since the last poll."""
        open_places = (path for path in self.folder.glob("*/") if self._reported.get(path, ("",))[0] not in ENDED)
        for place in sorted(open_places):
            run = RunFolder(place)
            written = max((path.stat().st_mtime for path in (run.summary, run.refusal) if path.exists()), default=0)
            status = _record_of(run).get("status")
            news = (status, written)  # a run that is tried again may fail again
            if written >= self.since and status not in (None, "running") and self._reported.get(place) != news:
                self._report(run, is_first=place not in self._reported)
                self._reported[place] = news

    def _report(self, run: RunFolder, is_first: bool) -> None:
        self._done += is_first
        trained = is_first and run.path not in self._ended_before
        self._worked += sum(self.work[self._done - 1 : self._done]) * trained
        pace = (time.time() - self.since) / (self._worked or 1.0)
        left = timedelta(seconds=round(pace * sum(self.work[self._done :])))
        note = "as before" if run.path in self._ended_before else f"{left} left"
        print(printable(f"[{self._done}/{len(self.work)}] {run.path.name}: {outcome_of(run)} ({note})"), flush=True)


running: list[Watch] = []
"""The watch of the sweep that this process has started."""


def begin(config: DictConfig, jobs: int, watch: Watch) -> None:
    """Begins to report the jobs of a sweep, or of a race's next rung, and writes the plan that its jobs read.

    Args:
        config: The sweep's configuration.
        jobs: The largest number of run folders.
        watch: What reports the jobs from now on.
    """
    while running:
        running.pop().stop()
    running.append(watch)
    write_json({"jobs": jobs, "objective": config.objective}, watch.folder / PLAN)
    if not config.hydra.launcher._target_.endswith("BasicLauncher"):  # jobs run in other processes
        watch.start()


def ended_runs(folder: Path) -> set[Path]:
    """The run folders in a sweep's folder of the jobs that have ended."""
    return {place for place in folder.glob("*/") if _record_of(RunFolder(place)).get("status") in ENDED}


def _record_of(run: RunFolder) -> dict[str, Any]:
    """What a job has written of its refusal or its run; an empty dict if it is nothing that can be read."""
    try:
        return run.read_refusal() or run.read_summary()
    except (UserError, OSError):
        return {}


def outcome_of(run: RunFolder) -> str:
    """The outcome of a job: its status, its objective and why it failed."""
    from gan_lightning.sweeps.collect import rounded
    from gan_lightning.sweeps.table import one_line

    record = _record_of(run)
    parts = [record["status"]]
    if record.get("objective") is not None:
        parts.append(f"objective {rounded(record['objective'])}")
    if record.get("reason"):
        parts.append(one_line(record["reason"]))
    return ", ".join(parts)
