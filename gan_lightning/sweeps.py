"""Sweeps: where their jobs lie, how each shares the machine, a line when one has ended, and the answer at the end."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict

from gan_lightning.config import register_resolvers
from gan_lightning.errors import UserError
from gan_lightning.files import RunFolder, write_json

PLAN = "sweep.json"
"""In a sweep's folder: how many jobs it has, and when it was started."""


class Sweep(Callback):
    """What Hydra calls at the beginning and the end of a sweep and of each of its jobs, wherever a job runs."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        register_resolvers()  # a launcher's process has not run train.py

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        folder = Path(config.hydra.sweep.dir).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        write_json({"jobs": planned_jobs(config), "since": time.time()}, folder / PLAN)
        with open_dict(config):
            # A time in the name would be another one in a process that a launcher starts.
            config.hydra.overrides.hydra.append(f"hydra.sweep.dir='{folder}'")
            constant = [o.key_or_group for o in _parsed(config.hydra.overrides.task) if not o.is_sweep_override()]
            config.hydra.overrides.hydra.append(f"hydra.job.config.override_dirname.exclude_keys={constant}")
        _running.append(folder)

    def on_job_start(self, config: DictConfig, **_: Any) -> None:
        if "sweep" in config.hydra and OmegaConf.select(config, "hydra.launcher.n_jobs"):
            share_the_machine(Path(config.hydra.sweep.dir), config.hydra.launcher.n_jobs)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        sweep = Path(config.hydra.sweep.dir)
        if not (sweep / PLAN).exists() or config.hydra.mode.name != "MULTIRUN":
            return
        folder = RunFolder(config.hydra.runtime.output_dir)
        if job_return.status == JobStatus.FAILED and not folder.summary.exists():  # refused before it could start
            error = job_return._return_value
            folder.write_summary({"status": "failed", "reason": f"{type(error).__name__}: {error}"})
        print(_line(sweep, folder), flush=True)


_running: list[Path] = []
"""The folder of the sweep that this process has started."""


@contextlib.contextmanager
def answered() -> Iterator[None]:
    """Tells at the end of a sweep, however it ends, what came of it; exits with code 1 where a job did not end well."""
    try:
        yield
    finally:
        while _running:
            from gan_lightning.results.__main__ import answer

            folder = _running.pop()
            try:
                well = answer(folder)
            except UserError as error:  # it ended before its first job
                print(f"error: {error}", file=sys.stderr)
                well = False
            if not well:
                print(f"again, for what has not ended: the same command with hydra.sweep.dir={os.path.relpath(folder)}")
                if sys.exc_info()[0] is None:
                    sys.exit(1)


def planned_jobs(config: DictConfig) -> int:
    """How many jobs a sweep will have."""
    trials = OmegaConf.select(config, "hydra.sweeper.n_trials")
    if trials is not None:
        return int(trials)
    params = [f"{key}={value}" for key, value in (OmegaConf.select(config, "hydra.sweeper.params") or {}).items()]
    last = {override.key_or_group: override for override in _parsed([*params, *config.hydra.overrides.task])}
    return math.prod(
        len(list(override.sweep_string_iterator())) for override in last.values() if override.is_discrete_sweep()
    )


def _parsed(overrides: Sequence[str]) -> list[Any]:
    return OverridesParser.create().parse_overrides(list(overrides))


def _line(sweep: Path, folder: RunFolder) -> str:
    """What came of one job, how many are done, and how long the rest will take at this pace."""
    plan = json.loads((sweep / PLAN).read_text())
    summary = folder.read_summary()
    statuses = [RunFolder(path.parent).read_summary().get("status") for path in sweep.glob("*/summary.json")]
    done = sum(status != "running" for status in statuses)
    new = sum(path.stat().st_mtime >= plan["since"] for path in sweep.glob("*/summary.json"))
    left = (time.time() - plan["since"]) / max(new, 1) * max(plan["jobs"] - done, 0)
    words = [f"[{done}/{plan['jobs']}]", f"{folder.path.name}:", summary.get("status", "died")]
    if summary.get("reason"):
        words.append("; ".join(line.strip() for line in summary["reason"].splitlines()[:3]))
    if summary.get("objective") is not None:
        words.append(f"objective {summary['objective']:.4g}")
    return f"{' '.join(words)} ({timedelta(seconds=round(left))} left)"


def share_the_machine(sweep: Path, jobs: int) -> None:
    """Gives this process its part of what `jobs` processes share: cores, and a GPU of its own where there are several.

    A process keeps its place, a locked file in the sweep's folder, as long as it lives.
    """
    import torch
    from filelock import FileLock, Timeout

    jobs = (os.cpu_count() or 1) if jobs < 0 else jobs
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // jobs))
    if _place or torch.cuda.device_count() < 2:
        return
    for place in range(jobs):
        lock = FileLock(sweep / f".place_{place}.lock")
        with contextlib.suppress(Timeout):
            lock.acquire(timeout=0)
            _place.append(lock)
            os.environ["CUDA_VISIBLE_DEVICES"] = str(place % torch.cuda.device_count())
            return


_place: list[Any] = []
