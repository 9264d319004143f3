"""Hydra's sweeper for `sweep=race`: successive halving of any candidates, which go on in their own run folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from gan_lightning.errors import UserError
from gan_lightning.sweeps import halving, race_record
from gan_lightning.sweeps.overrides import overrides_of, require_same_command, values_with_effect
from gan_lightning.sweeps.race_jobs import Jobs, grid, jobs_of, parsed
from gan_lightning.sweeps.race_record import Candidate, Race
from gan_lightning.sweeps.rungs import Rungs


class RaceSweeper(Sweeper):
    """Trains all candidates for a while, the best of them for longer, and so on, until one is left.

    The sweeps of the command line are the candidates, such as `model=gan_r1,r3gan`, except those over `seed`, which
    all candidates have; without any, they are the list `candidates`.

    Args:
        candidates: The overrides of each candidate as one text, or the name of a model.
        images: The length of the longest run, in images.
        minutes: Instead: its training time, without evaluations. A short run first measures the speed of each
            candidate, beside as many others as the launcher runs at a time.
        eta: One of so many goes on, to as many times the length.
        rungs: The number of lengths; None: as many as it takes until at most `eta` are left for the last one.
        direction: minimize or maximize.
    """

    starts_from: Sequence[str] = ()
    """The keys of the command line whose values the candidates start from, though each has another one."""

    def __init__(
        self,
        candidates: Sequence[str] | None,
        images: int,
        minutes: float | None,
        eta: int,
        rungs: int | None,
        direction: str,
    ) -> None:
        self.listed, self.images, self.minutes = candidates, images, minutes
        self.eta, self.rungs, self.direction = eta, rungs, direction

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._config, self._loader = config, hydra_context.config_loader
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def candidates(self, overrides: Mapping[str, Override]) -> list[list[str]]:
        """Returns the overrides of each candidate; `overrides` are those of the command line, by key."""
        swept = [each for key, each in overrides.items() if key != "seed" and each.is_sweep_override()]
        return grid(swept) if swept else [parsed(str(text)) for text in self.listed or ()]

    def note(self, winner: Candidate | None) -> str:
        """Returns what to know of the candidates, and of the winner when there is one."""
        return ""

    def sweep(self, arguments: list[str]) -> None:
        """Trains one rung after the other, except those that an earlier session has ended.

        Raises:
            UserError: The race cannot be held as it is described, or was begun by another command; or all candidates
                of a rung failed.
        """
        self._require_usable()
        overrides = overrides_of(self._config)
        jobs = self._jobs(overrides)
        folder = Path(self._config.hydra.sweep.dir).absolute()
        command = self._command(jobs, values_with_effect(overrides.values()))
        begun = race_record.read(folder)
        if begun is not None:
            require_same_command(f"the race in {folder}", begun.command, command, "Choose another hydra.sweep.dir")
        rungs = Rungs(self._config, self._launcher, folder, jobs, self.eta)
        race = begun or self._new_race(command, jobs, rungs)
        while not race.has_ended:
            race.write(folder)
            race = race.with_rung(rungs.train(race))
        race = replace(race, note=self.note(race.candidates[race.winner] if race.winner else None))
        race.write(folder)

    def _require_usable(self) -> None:
        """Raises a UserError if a value is out of range; in `__init__`, Hydra would wrap it in an error of its own."""
        least = {"images": 1, "eta": 2} | ({} if self.rungs is None else {"rungs": 1})
        for key, low in least.items():
            value = getattr(self, key)
            if not isinstance(value, int) or value < low:
                raise UserError(f"hydra.sweeper.{key}={value}: expected a whole number, at least {low}")
        if self.minutes is not None and (not isinstance(self.minutes, int | float) or self.minutes <= 0):
            raise UserError(f"hydra.sweeper.minutes={self.minutes}: expected a number above 0, or null")

    def _jobs(self, overrides: Mapping[str, Override]) -> Jobs:
        """Names the candidates; composes the job of each, so that a mistyped key is told before anything trains."""
        candidates = self.candidates(overrides)
        if len(candidates) < 2:
            raise UserError(
                f"hydra.sweeper.candidates: {len(candidates)}. A race needs two or more, such as model=gan_r1,r3gan or "
                "'hydra.sweeper.candidates=[gan_r1,\"model=r3gan network=r3gan\"]'"
            )
        rungs = self.rungs or halving.enough_rungs(len(candidates), self.eta)
        jobs = jobs_of(overrides, candidates, rungs, self.starts_from)
        for name in jobs.entries:
            folder, seed = next(iter(jobs.runs(name).items()))
            job = jobs.overrides(name, seed, folder, {"trainer.max_images": self.images})
            self._loader.load_sweep_config(self._config, job)
        return jobs

    def _command(self, jobs: Jobs, fixed: Mapping[str, str]) -> dict[str, Any]:
        """What has to be the same when the race goes on, by key."""
        length = {"images": self.images} if self.minutes is None else {"minutes": self.minutes}
        own = length | {"eta": self.eta, "rungs": jobs.rungs, "direction": self.direction}
        return {
            **{f"hydra.sweeper.{key}": value for key, value in own.items()},
            **{f"candidate {name}": list(lines.values()) for name, lines in jobs.entries.items()},
            **{"seeds": jobs.seeds, "objective": self._config.objective},
            **fixed,
        }

    def _new_race(self, command: Mapping[str, Any], jobs: Jobs, rungs: Rungs) -> Race:
        speeds = {} if self.minutes is None else rungs.speeds()

        def candidate(name: str) -> Candidate:
            longest = self.images if self.minutes is None else 60 * self.minutes * speeds[name]
            images = halving.lengths(longest, jobs.rungs, self.eta)
            return Candidate(list(jobs.entries[name].values()), list(jobs.runs(name)), [*map(round, images)])

        return Race(
            command=command,
            objective=self._config.objective,
            maximize=self.direction == "maximize",
            unit="images" if self.minutes is None else "minutes",
            lengths=halving.lengths(self.minutes or self.images, jobs.rungs, self.eta),
            sizes=rungs.sizes,
            candidates={name: candidate(name) for name in jobs.entries},
            note=self.note(None),
        )
