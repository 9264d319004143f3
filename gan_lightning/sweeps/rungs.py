"""The rungs of a race: which jobs are launched, and what they have reached."""

from __future__ import annotations

import shutil
import statistics
from pathlib import Path
from typing import Any

from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig

from gan_lightning.errors import UserError
from gan_lightning.sweeps import halving, watch
from gan_lightning.sweeps.overrides import launch
from gan_lightning.sweeps.race_jobs import Jobs
from gan_lightning.sweeps.race_record import Candidate, Race, Result
from gan_lightning.training.run_folder import ENDED, RunFolder

TRIAL = 200
"""The batches of the runs that measure how fast the candidates train."""
TRIALS = ".trials"
"""The folder in the sweep's folder of these runs, until they are measured."""
QUIET = ("objective=null", *(f"++callbacks.{name}=null" for name in ("evaluation", "samples", "report", "checkpoints")))
"""What these runs leave out."""


class Rungs:
    """Trains the rungs of a race in the folder of a sweep.

    Args:
        config: The sweep's configuration.
        launcher: Hydra's launcher.
        folder: The sweep's folder.
        jobs: What makes the jobs.
        eta: As of `RaceSweeper`.
    """

    def __init__(self, config: DictConfig, launcher: Launcher, folder: Path, jobs: Jobs, eta: int) -> None:
        self._config, self._launcher, self._folder, self._jobs = config, launcher, folder, jobs
        self.sizes = halving.sizes(len(jobs.entries), jobs.rungs, eta)
        seeds = len(jobs.seeds) or 1
        ends = halving.lengths(1.0, jobs.rungs, eta)
        parts = [end - before for end, before in zip(ends, [0.0, *ends], strict=False)]
        self._runs = [size * seeds for size in self.sizes]
        self._work = [part for part, runs in zip(parts, self._runs, strict=True) for _ in range(runs)]
        self._watch(rung=0, ended=0)

    def _watch(self, rung: int, ended: int) -> None:
        """Begins to report the jobs of a rung, of which some have `ended` before."""
        done = sum(self._runs[:rung]) + ended
        watch.begin(self._config, self._runs[0], watch.Watch(self._folder, self._work, done))

    def speeds(self) -> dict[str, float]:
        """Trains each candidate for a few batches, and returns how many images it trains on in a second.

        One that failed has the speed of the slowest: it will fail in the race, too, and its folder there says why.

        Raises:
            UserError: All of them failed.
        """
        names = list(self._jobs.entries)
        places = {name: f"{TRIALS}/{name}" for name in names}
        print(f"measuring the speed: {len(names)} candidates, {TRIAL} batches each", flush=True)
        seed, length = (self._jobs.seeds or [""])[0], {"trainer.max_steps": TRIAL}
        lines = [self._jobs.overrides(name, seed, place, length, QUIET) for name, place in places.items()]
        launch(self._launcher, lines, first=0)
        accounts = {name: self._account(place) for name, place in places.items()}
        found = {name: a["images_per_second"] for name, a in accounts.items() if a.get("status") in ENDED}
        if not found:
            reason = accounts[names[0]].get("reason")
            raise UserError(f"hydra.sweeper.minutes: no candidate could train {TRIAL} batches. The first one: {reason}")
        shutil.rmtree(self._folder / TRIALS)
        return {name: found.get(name, min(found.values())) for name in names}

    def train(self, race: Race) -> dict[str, Result]:
        """Trains the next rung of a race, and returns what each of its candidates has reached.

        Raises:
            UserError: A job was stopped, or all of them failed; the same command tries the rung again.
        """
        rung, names = len(race.rungs), race.entrants()
        runs = [(name, folder, seed) for name in names for folder, seed in self._jobs.runs(name).items()]
        lines = [
            self._jobs.overrides(name, seed, folder, {"trainer.max_images": images})
            for name, folder, seed in runs
            if not self._has_ended(folder, images := race.candidates[name].images[rung])
        ]
        self._watch(rung, ended=len(runs) - len(lines))
        print(f"rung {rung + 1} of {len(race.sizes)}: {len(names)} candidates to {race.labels()[rung]}", flush=True)
        if lines:
            launch(self._launcher, lines, first=sum(self._runs[:rung]))
        found = {name: self._result(race.candidates[name]) for name in names}
        if all(result.objective is None for result in found.values()):
            raise UserError(f"rung {rung + 1}: all of its candidates failed. The first one: {found[names[0]].reason}")
        return found

    def _has_ended(self, folder: str, images: int) -> bool:
        """Whether the run in a folder has got as far as so many images."""
        run = RunFolder(self._folder / folder)
        try:
            reached = run.read_config()["trainer"]["max_images"] == images
        except (UserError, OSError):  # there is none yet, or the job will tell what is wrong with it
            return False
        return reached and self._account(folder).get("status") in ENDED

    def _account(self, folder: str) -> dict[str, Any]:
        """What the last job in a folder has written, of its run or of its refusal."""
        run = RunFolder(self._folder / folder)
        return run.known_summary() | run.read_refusal()

    def _result(self, candidate: Candidate) -> Result:
        accounts = [self._account(folder) for folder in candidate.folders]
        if any(account.get("status") == "interrupted" for account in accounts):
            raise UserError(f"{candidate.folders[0]} was stopped. The same command with hydra.sweep.dir goes on")
        failed = [account for account in accounts if account.get("status") not in ENDED]
        reasons = [account.get("reason") or "its process was lost" for account in failed]
        return Result(
            objective=None if failed else statistics.mean(account["objective"] for account in accounts),
            images=sum(account.get("images_seen") or 0 for account in accounts),
            seconds=sum(account.get("seconds") or 0.0 for account in accounts),
            reason=next(iter(reasons), None),
        )
