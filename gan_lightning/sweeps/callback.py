"""Hydra's callback for sweeps: their folders, cores and GPUs per job, and the final results."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import platform
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict

from gan_lightning._compat.hydra import register_sweeper
from gan_lightning.config.quoting import quoted
from gan_lightning.sweeps import watch
from gan_lightning.sweeps.gamma import GammaSweeper
from gan_lightning.sweeps.overrides import overrides_of
from gan_lightning.sweeps.race import RaceSweeper
from gan_lightning.sweeps.sweeper import OptunaSweeper
from gan_lightning.terminal import error_line
from gan_lightning.training.process import end_with

PARALLEL_LAUNCHERS = ("JoblibLauncher", "LocalLauncher")
"""The launchers that run several jobs at a time on this machine: joblib's, and submitit's local one."""


class Sweep(Callback):
    """Hydra calls it at the start of a sweep, in the sweep's process, and for each job, in the job's process."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        folder = Path(config.hydra.sweep.dir).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        logging.getLogger("alembic").setLevel(logging.WARNING)  # Optuna uses it; it logs each of its plugins
        for sweeper in (OptunaSweeper, RaceSweeper, GammaSweeper):
            if config.hydra.sweeper._target_ == f"{sweeper.__module__}.{sweeper.__name__}":
                register_sweeper(sweeper)
        with open_dict(config):
            # A process that a launcher starts would resolve ${now:} to another time.
            config.hydra.overrides.hydra.append(f"hydra.sweep.dir={quoted(folder)}")
            # The seed stays in the folder names, so that seeds can be added later.
            constant = [k for k, o in overrides_of(config).items() if k != "seed" and not o.is_sweep_override()]
            config.hydra.overrides.hydra.append(f"hydra.job.config.override_dirname.exclude_keys={constant}")
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # for a signal between two jobs
        if not is_race(config):  # a race begins to watch each rung
            jobs, ended = planned_jobs(config), watch.ended_runs(folder)
            searches = OmegaConf.select(config, "hydra.sweeper.n_trials") is not None
            before: dict[str, Any] = {"done": len(ended)} if searches else {"ended_before": ended}
            watch.begin(config, jobs, watch.Watch(folder, [1.0] * jobs, **before))

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        for each in watch.running:
            each.poll()

    def on_job_start(self, config: DictConfig, **_: Any) -> None:
        joblib = config.hydra.mode.name == "MULTIRUN" and launcher_kind(config.hydra.launcher) == "JoblibLauncher"
        if joblib and not watch.running:  # one of joblib's processes, which would go on without the sweep's
            end_with(os.getppid(), signal.SIGTERM)
        plan = Path(config.hydra.sweep.dir, watch.PLAN)
        if config.hydra.mode.name == "MULTIRUN" and plan.exists():
            at_once = jobs_at_once(config.hydra.launcher, json.loads(plan.read_text())["jobs"])
            if at_once > 1:
                assign_resources(plan.parent, at_once, config.trainer.get("devices", 1))


@contextlib.contextmanager
def report_results() -> Iterator[None]:
    """Reports the results at the end of a sweep, also of a failed one; exits with code 1 if a job failed."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    finally:
        while watch.running:
            last = watch.running.pop()
            last.stop()
            if not _write_results(last.folder) and sys.exc_info()[0] is None:
                sys.exit(1)


def _write_results(folder: Path) -> bool:
    """Writes the results of a sweep; returns whether all of its jobs have ended without an error."""
    from gan_lightning.sweeps.results import write_results

    begun = any(folder.glob("*/"))
    try:
        well = begun and write_results(folder)
    except Exception as error:  # an exception here would hide the one that ended the sweep
        print(error_line(f"no results: {error}"), file=sys.stderr)
        well = False
    if begun and not well:
        place = shlex.quote(f"hydra.sweep.dir={os.path.relpath(folder)}")
        print(f"again, for what has not ended: the same command with {place}")
    return well


def is_race(config: DictConfig) -> bool:
    """Whether the sweep is a race."""
    return "rungs" in config.hydra.sweeper


def planned_jobs(config: DictConfig) -> int:
    """The largest number of jobs that a sweep can have."""
    trials = OmegaConf.select(config, "hydra.sweeper.n_trials")
    if trials is not None:
        return int(trials)
    sweeps = [override for override in overrides_of(config).values() if override.is_discrete_sweep()]
    return math.prod(len(list(override.sweep_string_iterator())) for override in sweeps)


def launcher_kind(launcher: DictConfig) -> str:
    """The name of a launcher's class."""
    return launcher._target_.rpartition(".")[2]


def jobs_at_once(launcher: DictConfig, jobs: int) -> int:
    """The number of a sweep's jobs that a launcher runs on this machine at a time."""
    kind = launcher_kind(launcher)
    if kind == "JoblibLauncher" and launcher.n_jobs > 0:
        return min(launcher.n_jobs, jobs)
    return jobs if kind in PARALLEL_LAUNCHERS else 1  # submitit's LocalLauncher starts all at once


def assign_resources(sweep: Path, at_once: int, devices: Any) -> None:
    """Limits this process to its part of the cores, and to GPUs of its own if there are enough for two processes.

    A process locks one of this machine's `at_once` slots, a file in the sweep's folder, until it ends. The limits are
    environment variables, for the process of the job. A list of devices is the user's choice among all GPUs, and stays
    as it is.
    """
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    os.environ["OMP_NUM_THREADS"] = str(max(1, cores // at_once))
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    visible = given.split(",") if given else [str(number) for number in range(torch.cuda.device_count())]
    each = devices if isinstance(devices, int) and devices > 0 else 1
    if isinstance(devices, list | ListConfig) or _held_locks or len(visible) < 2 * each:
        return
    for slot in range(at_once):
        lock = FileLock(sweep / f".slot_{slot}_{platform.node()}.lock")
        with contextlib.suppress(Timeout):
            lock.acquire(timeout=0)
            _held_locks.append(lock)
            first = slot * each % (len(visible) // each * each)
            os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(visible[first : first + each])
            return


_held_locks: list[FileLock] = []
"""The slot that this process has locked."""
