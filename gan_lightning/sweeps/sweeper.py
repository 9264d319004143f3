"""Hydra's sweeper for `sweep=optuna`: it searches with a study of Optuna, which several processes may share."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.errors import InstantiationException
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from hydra.utils import instantiate
from omegaconf import DictConfig

from gan_lightning.errors import UserError
from gan_lightning.sweeps.overrides import launch, overrides_of, values_with_effect

POLL = 2.0
"""The time between two looks at the study of a process that waits for others, in seconds."""


class OptunaSweeper(Sweeper):
    """Trains runs until a study has `n_trials` that have ended, in whichever process.

    Args:
        sampler: The configuration of a sampler of Optuna.
        storage: The path of a journal, or the URL of a database.
        study_name: The name of the study; None in a journal of its own.
        direction: minimize or maximize.
        n_trials: The number of runs of all processes together.
        n_jobs: The number of runs that this process launches at a time.
        max_retries: How often a run is tried again that failed or whose process died.
        max_failure_rate: The largest share of runs that may fail for good before this process gives up.
        heartbeat: The time between two signs of life of a process, in seconds.
        params: The sweeps, by key; those of the command line come on top.
    """

    def __init__(
        self,
        sampler: DictConfig,
        storage: str,
        study_name: str | None,
        direction: str,
        n_trials: int,
        n_jobs: int,
        max_retries: int,
        max_failure_rate: float,
        heartbeat: float,
        params: DictConfig | None,
    ) -> None:
        self.sampler, self.storage, self.study_name, self.direction = sampler, storage, study_name, direction
        self.n_trials, self.n_jobs, self.heartbeat = n_trials, n_jobs, heartbeat
        self.max_retries, self.max_failure_rate = max_retries, max_failure_rate

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._config = config
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Takes trials and launches their runs, until no more are needed.

        Raises:
            UserError: The storage, the study or the search space cannot be used, or too many runs failed.
        """
        self._require_usable()
        overrides = list(overrides_of(self._config).values())
        study, fixed = self._study(overrides), [o.input_line for o in overrides if not o.is_sweep_override()]
        with study.beating():
            while len((progress := study.advance()).ended) < self.n_trials:
                if len(progress.failed) > self.max_failure_rate * self.n_trials:
                    raise UserError(
                        f"{len(progress.failed)} of {self.n_trials} trials failed, more than "
                        f"hydra.sweeper.max_failure_rate={self.max_failure_rate} allows"
                    )
                taken = study.take(self.n_jobs)
                if not taken:
                    time.sleep(POLL)
                    continue
                cut = True
                try:
                    jobs = [self._overrides(study.folder_name(trial), trial.params, fixed) for trial in taken]
                    launch(self._launcher, jobs, taken[0].number)
                    cut = False
                finally:
                    for trial in taken:
                        study.settle(trial, cut)

    def _require_usable(self) -> None:
        """Raises a UserError if a value is out of range; in `__init__`, Hydra would wrap it in an error of its own."""
        least = {"n_trials": 1, "n_jobs": 1, "max_retries": 0}
        wrong = [key for key, low in least.items() if not isinstance(value := getattr(self, key), int) or value < low]
        if wrong:
            found, low = getattr(self, wrong[0]), least[wrong[0]]
            raise UserError(f"hydra.sweeper.{wrong[0]}={found}: expected a whole number, at least {low}")
        if not isinstance(self.heartbeat, int | float) or self.heartbeat <= 0:
            raise UserError(f"hydra.sweeper.heartbeat={self.heartbeat}: expected a number of seconds above 0")
        if not isinstance(self.max_failure_rate, int | float) or not 0 <= self.max_failure_rate <= 1:
            raise UserError(f"hydra.sweeper.max_failure_rate={self.max_failure_rate}: expected a number from 0 to 1")
        if self.direction not in ("minimize", "maximize"):
            raise UserError(f"hydra.sweeper.direction={self.direction}: expected minimize or maximize")
        if self.study_name is None and "://" in self.storage:
            raise UserError("hydra.sweeper.study_name=null: a database has many studies; name this one")

    def _overrides(self, folder: str, params: dict[str, Any], fixed: Sequence[str | None]) -> list[str]:
        swept = [f"{key}={value}" for key, value in params.items()]
        return [*swept, *map(str, fixed), f"hydra.sweep.subdir={folder}"]

    def _study(self, overrides: Sequence[Override]) -> Any:
        """Opens the study, with the sampler that proposes parameters for this process."""
        try:
            import optuna
            from optuna.distributions import distribution_to_json

            from gan_lightning.sweeps.search_space import search_space
            from gan_lightning.sweeps.study import OwnDraws, SharedStudy, open_study
        except ImportError as error:
            raise UserError("sweep=optuna needs optuna, 4.9 or later: pip install 'gan_lightning[sweeps]'") from error
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # Hydra's log has a line for each job
        space = search_space(overrides)
        command = {
            "search_space": {key: distribution_to_json(found) for key, found in space.items()},
            "fixed": values_with_effect(overrides) | {"objective": self._config.objective},
        }
        sampler = OwnDraws(self._sampler(optuna.samplers.BaseSampler))
        study = open_study(self.storage, self.study_name or "sweep", self.direction, sampler, command)
        folder = Path(self._config.hydra.sweep.dir)
        return SharedStudy(study, space, folder, self.n_trials, self.max_retries, self.heartbeat)

    def _sampler(self, kind: type) -> Any:
        try:
            sampler = instantiate(self.sampler)
        except InstantiationException as error:
            reason = " ".join(str(error.__cause__ or error).split())
            raise UserError(
                f"hydra.sweeper.sampler: expected a sampler of Optuna and its arguments: {reason}"
            ) from error
        if not isinstance(sampler, kind):
            raise UserError(
                f"hydra.sweeper.sampler._target_: expected a sampler of Optuna, got {type(sampler).__name__}"
            )
        return sampler
