"""Sweeps: where their jobs lie, how each shares the machine, a line when one has ended, and the answer at the end."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict

from gan_lightning.files import write_json
from gan_lightning.training.run_folder import ENDED, RunFolder

PLAN = "sweep.json"
"""In a sweep's folder: how many jobs it has at most, when it was started, what it goes by."""


class Sweep(Callback):
    """What Hydra calls at the beginning of a sweep, in its own process, and of each of its jobs, wherever that runs."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        folder = Path(config.hydra.sweep.dir).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        logging.getLogger("alembic").setLevel(logging.WARNING)  # Optuna's: it names each of its plugins
        watch = _Watch(folder)
        _running.append(watch)
        jobs = planned_jobs(config)
        write_json({"jobs": jobs, "since": time.time(), "objective": config.objective}, folder / PLAN)
        with open_dict(config):
            # A time in the name would be another one in a process that a launcher starts.
            config.hydra.overrides.hydra.append(f"hydra.sweep.dir={quoted(folder)}")
            # The seed stays in the names, so that more of them can be added.
            constant = [k for k, o in _overrides_of(config).items() if k != "seed" and not o.is_sweep_override()]
            config.hydra.overrides.hydra.append(f"hydra.job.config.override_dirname.exclude_keys={constant}")
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # between two jobs
        if not config.hydra.launcher._target_.endswith("BasicLauncher"):  # jobs of other processes
            watch.start()

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        for watch in _running:
            watch.poll()

    def on_job_start(self, config: DictConfig, **_: Any) -> None:
        plan = Path(config.hydra.sweep.dir, PLAN)
        if config.hydra.mode.name == "MULTIRUN" and plan.exists():
            at_once = jobs_at_once(config.hydra.launcher, json.loads(plan.read_text())["jobs"])
            if at_once > 1:
                assign_resources(plan.parent, at_once, config.trainer.get("devices", 1))


@contextlib.contextmanager
def report_results() -> Iterator[None]:
    """Tells at the end of a sweep, however it ends, what came of it; exits with code 1 where a job did not end well."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    finally:
        while _running:
            watch = _running.pop()
            watch.stop()
            if not _write_results(watch.folder) and sys.exc_info()[0] is None:
                sys.exit(1)


def _write_results(folder: Path) -> bool:
    """Whether all of a sweep's jobs have ended well."""
    from gan_lightning.sweeps.results import write_results

    begun = any(folder.glob("*/"))
    try:
        well = begun and write_results(folder)
    except Exception as error:  # the sweep's own end is more telling
        print(f"error: no results: {error}", file=sys.stderr)
        well = False
    if begun and not well:
        place = shlex.quote(f"hydra.sweep.dir={os.path.relpath(folder)}")
        print(f"again, for what has not ended: the same command with {place}")
    return well


class _Watch(threading.Thread):
    """Prints a line when a job has ended, wherever it ran."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.folder = folder
        self._over = threading.Event()
        self._reported: set[Path] = set()
        self._ended_before = {place for place in folder.glob("*/") if _status(RunFolder(place)) in ENDED}

    def run(self) -> None:
        while not self._over.wait(0.5):
            self.poll()

    def stop(self) -> None:
        """Tells of the last ones."""
        self._over.set()
        if self.ident:
            self.join()
        self.poll()

    def poll(self) -> None:
        """Tells of the jobs that have ended since the last look."""
        if not (self.folder / PLAN).exists():
            return
        plan = json.loads((self.folder / PLAN).read_text())
        for place in sorted(path for path in self.folder.glob("*/") if path not in self._reported):
            run = RunFolder(place)
            written = max((path.stat().st_mtime for path in (run.summary, run.refusal) if path.exists()), default=0)
            if written >= plan["since"] and _status(run) not in (None, "running"):
                self._reported.add(place)
                done, trained = len(self._reported), len(self._reported - self._ended_before)
                pace = (time.time() - plan["since"]) / max(trained, 1)
                left = timedelta(seconds=round(pace * max(plan["jobs"] - done, 0)))
                again = " (as before)" if place in self._ended_before else f" ({left} left)"
                print(f"[{done}/{plan['jobs']}] {place.name}: {outcome_of(run)}{again}", flush=True)


_running: list[_Watch] = []
"""The watch over the sweep that this process has started."""


def _status(run: RunFolder) -> str | None:
    return (run.read_refusal() or run.read_summary()).get("status")


def outcome_of(run: RunFolder) -> str:
    """What came of a job."""
    from gan_lightning.sweeps.collect import rounded
    from gan_lightning.sweeps.table import one_line

    account = run.read_refusal() or run.read_summary()
    found = [account["status"]]
    if account.get("objective") is not None:
        found.append(f"objective {rounded(account['objective'])}")
    if account.get("reason"):
        found.append(one_line(account["reason"]))
    return ", ".join(found)


def planned_jobs(config: DictConfig) -> int:
    """How many jobs a sweep will have, at most."""
    trials = OmegaConf.select(config, "hydra.sweeper.n_trials")
    if trials is not None:
        return int(trials)
    sweeps = [override for override in _overrides_of(config).values() if override.is_discrete_sweep()]
    return math.prod(len(list(override.sweep_string_iterator())) for override in sweeps)


def jobs_at_once(launcher: DictConfig, jobs: int) -> int:
    """How many of a sweep's jobs a launcher has on this machine at a time."""
    kind = launcher._target_.rpartition(".")[2]
    if kind == "JoblibLauncher" and launcher.n_jobs > 0:
        return min(launcher.n_jobs, jobs)
    return jobs if kind in ("JoblibLauncher", "LocalLauncher") else 1  # submitit's local one starts all


def quoted(path: str | Path) -> str:
    """A path as a value that Hydra's command line takes as it is."""
    return QuotedString(str(path), Quote.single).with_quotes()


def _overrides_of(config: DictConfig) -> dict[str, Override]:
    """What was typed, and a sweep's own parameters before it; of several for one key the last, which counts."""
    params = [f"{key}={value}" for key, value in (OmegaConf.select(config, "hydra.sweeper.params") or {}).items()]
    task: Any = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)
    parser = OverridesParser.create(GlobalHydra.instance().config_loader())
    return {override.key_or_group: override for override in parser.parse_overrides([*params, *task])}


def assign_resources(sweep: Path, at_once: int, devices: Any) -> None:
    """Gives this process its part of what `at_once` processes share: cores, and GPUs of its own where there are enough.

    A process keeps its place, a locked file in the sweep's folder, as long as it lives.
    """
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    torch.set_num_threads(max(1, cores // at_once))
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    visible = given.split(",") if given else [str(number) for number in range(torch.cuda.device_count())]
    each = devices if isinstance(devices, int) and devices > 0 else 1
    if _held_locks or len(visible) < 2 * each:
        return
    for place in range(at_once):
        lock = FileLock(sweep / f".place_{place}.lock")
        with contextlib.suppress(Timeout):
            lock.acquire(timeout=0)
            _held_locks.append(lock)
            first = place * each % (len(visible) // each * each)
            os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(visible[first : first + each])
            return


_held_locks: list[FileLock] = []
