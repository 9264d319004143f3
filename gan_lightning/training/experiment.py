"""One run of a configuration in its folder: a new run, or a resumed one."""

from __future__ import annotations

import gc
import math
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import lightning
from lightning import Callback, LightningDataModule, Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import ProgressBar
from torch.distributed import Store

from gan_lightning._compat.lightning import end_without_batches
from gan_lightning.callbacks import Doctor, GeneratorEMA, GracefulStop, Pruning, Record, StopAtPlateau, Writer
from gan_lightning.config.instantiate import Config, build, require_none
from gan_lightning.config.rules import plain_problems
from gan_lightning.data import known_folders
from gan_lightning.distributed.cluster import cluster_environment, decide_together
from gan_lightning.distributed.launcher import SIGKILL
from gan_lightning.distributed.strategy import GANStrategy, leave_process_group
from gan_lightning.errors import ProcessError, UserError, file_error, system_error
from gan_lightning.models import GAN
from gan_lightning.terminal import printable
from gan_lightning.training import checkpoint, initial, remedies, rollback
from gan_lightning.training.continuation import continuation
from gan_lightning.training.result import RunResult, SweepJob
from gan_lightning.training.resume import ResumePoint, require_any_length
from gan_lightning.training.run_folder import ENDED, RunFolder
from gan_lightning.training.start import ENDED_RUN, find_start, require_own_folder
from gan_lightning.training.summary import Summary
from gan_lightning.training.trainer import (
    has_one_process,
    planned_batches,
    prepare_evaluation,
    resume_loggers,
    trainer_arguments,
)
from gan_lightning.training.worker import worker_command

DEFAULTS: Config = {
    **{"seed": 0, "objective": None, "callbacks": {}, "logger": {}},
    **{"branch_from": None, "init_from": None},
}
"""The values of sections that a configuration may leave out."""


class Experiment:
    """The training of one configuration in one run folder.

    Args:
        config: A resolved configuration, plain containers as in `config.yaml` of any run folder; at least data, model
            and trainer.
        folder: The run folder. It is made if it does not exist.
        job: The job of a sweep; None outside of a sweep. A job waits for a folder in use, and resumes the run that
            an earlier session of the same sweep has left there.
        origin: Texts that say where the configuration came from, by file name: a new run writes them to `.hydra/`.
    """

    def __init__(
        self,
        config: Config,
        folder: str | Path,
        job: SweepJob | None = None,
        origin: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = RunFolder(folder)
        self.config: Config = DEFAULTS | {"run_dir": str(self.folder.path)} | config
        self.job = job
        self.origin = dict(origin or {})

    def fit(self, resume_from: str | Path | None = None) -> RunResult:
        """Trains to the end of the run, or until a signal.

        Args:
            resume_from: The run folder, or a checkpoint in it, to resume from; None starts a new run; "auto" goes on
                with the run in the folder, which must be of this configuration, and starts a new one if there is none.

        Raises:
            UserError: The folder is in use or belongs to another run, the configuration cannot be trained, or a file
                cannot be read or written.
            FloatingPointError: A loss, a weight or the objective is not finite.
        """
        try:
            return self._fit_in_folder(resume_from)
        except OSError as error:
            goes_on = self.job is None and os.path.exists(self.folder.last)
            way_on = f"; then go on with resume={self.folder.path}" if goes_on else ""
            raise UserError(file_error(error, self.folder.path) + way_on) from error

    def _fit_in_folder(self, resume_from: str | Path | None) -> RunResult:
        in_sweep = self.job is not None
        require_none(plain_problems(self.config))
        require_own_folder(self.folder, self.config, resume_from, in_sweep)
        lengthens = self.job is not None and self.job.lengthens
        if lengthens:
            require_any_length(self.config)
        with ExitStack() as stack:

            def decide() -> Any:
                stack.enter_context(self.folder.locked(wait=in_sweep))
                self.folder.refusal.unlink(missing_ok=True)
                return find_start(self.folder, self.config, resume_from, in_sweep, lengthens)

            cluster = None if has_one_process(self.config["trainer"]) else cluster_environment()
            remedies.require_possible(self.config, in_cluster=cluster is not None)
            found, store = decide_together(decide, cluster) if cluster else (decide(), None)
            if found == ENDED_RUN:
                return self._result_of_ended_run()
            result = self.train(ResumePoint.of(found), store)
            while result.rolled_back_to is not None:
                result = self.train(result.rolled_back_to)
            return result

    def train(self, start: ResumePoint | None = None, store: Store | None = None) -> RunResult:
        """Trains from `start` and does not check the folder's contents: `fit` has done so for all processes.

        Args:
            start: The checkpoint to resume from; None starts at the first batch.
            store: The store in which the processes of a cluster meet.
        """
        config = remedies.applied(self.config, start.rollbacks if start else ())
        place = self.config["init_from"] if start is None else None  # a checkpoint has the weights already
        source = initial.read(place, self.config) if place else None
        lightning.seed_everything(self.config["seed"], verbose=False)
        data: LightningDataModule = build(self.config, "data")
        data.prepare_data()  # before other processes start, so that only one reports missing data
        data.setup("fit")
        if start is None:
            known_folders.remember(self.config["data"].get("root"))
        model: GAN = build(config, "model")
        record, stop = Record(config, self._compared()), GracefulStop()
        # A branch begins with a checkpoint; the command of a longer run is another one.
        begins = start is None or not self.folder.config.is_file() or (self.job is not None and self.job.lengthens)
        summary = Summary(self.config, self.folder, record, self.origin if begins else None)
        with worker_command(config, self.folder, start) as command:
            trainer = self._trainer([Writer(), summary, record, stop], start, GANStrategy(command, store))
            summary.init_from = self._initial_weights(source, model, trainer, data)
            prepare_evaluation(trainer, data, self.config)  # now, for the same reason
            planned = planned_batches(trainer, data)
            if start and start.step >= planned:
                if self.folder.known_summary().get("status") in ENDED:
                    return self._result_of_ended_run()
                end_without_batches(trainer)  # it was killed before it had done its final work
            return self._fit(trainer, model, data, start)

    def _trainer(self, callbacks: list[Callback], start: ResumePoint | None, strategy: GANStrategy) -> Trainer:
        config = self.config
        if start is not None:
            logs = self.folder.known_summary().get("loggers")
            config = config | {"logger": resume_loggers(config["logger"], start.step, logs)}
        named = {group: build(config, group).values() for group in ("callbacks", "logger")}  # null switches one off
        callbacks += [callback for callback in named["callbacks"] if callback is not None]
        callbacks.sort(key=lambda callback: isinstance(callback, StopAtPlateau))  # after the evaluation, which it reads
        if self.job is not None and self.job.concurrent:  # several bars would overwrite each other
            callbacks = [callback for callback in callbacks if not isinstance(callback, ProgressBar)]
        loggers = [logger for logger in named["logger"] if logger is not None]
        more = trainer_arguments(config["trainer"], self.folder.path, callbacks, loggers, strategy)
        try:
            return build(config, "trainer", **more)
        except MisconfigurationException as error:
            raise UserError(f"trainer: {error}. See trainer.accelerator and trainer.devices") from error

    def _initial_weights(
        self, source: initial.Source | None, model: GAN, trainer: Trainer, data: LightningDataModule
    ) -> Config | None:
        """Loads the weights of another model, and returns what the summary says of them, also of a resumed run."""
        if source is None:
            return self.folder.known_summary().get("init_from") if self.config["init_from"] else None
        vocabulary = getattr(data, "vocabulary", None) if model.conditional else None
        labels = vocabulary.names if vocabulary else ()
        report = initial.load(source, model, _has(trainer, GeneratorEMA), labels)
        if trainer.is_global_zero:
            initial.log(report)
        return report

    def _fit(self, trainer: Trainer, model: GAN, data: LightningDataModule, start: ResumePoint | None) -> RunResult:
        record, stop, summary = (_callback(trainer, kind) for kind in (Record, GracefulStop, Summary))
        try:
            # Otherwise Python's garbage collector looks through all objects of all packages, 0.3 s each time.
            gc.freeze()
            _fit_or_stop_others(trainer, model, data, start)
            doctor = Doctor.of(trainer)
            if doctor is not None and doctor.rolls_back:
                return self._rolled_back(trainer, doctor)
            if trainer.is_global_zero:
                checkpoint.export(model, self.folder, step=trainer.global_step)
            # An interrupted run may have ended before its first evaluation.
            known = not stop.received or self.config["objective"] in record.metrics
            objective = self._objective(record.metrics) if known else None
            status = _status(trainer, stop)
            summary.write(status, objective=objective)
        except Exception as error:
            summary.write_failure(error)
            raise
        finally:
            gc.unfreeze()
            leave_process_group(trainer)
        if trainer.is_global_zero and self.job is None:  # a sweep prints one line per job
            print(summary.closing_message(status))
        metrics = dict(record.metrics)
        return RunResult(self.folder.path, status, trainer.global_step, metrics, objective, stop.received)

    def _rolled_back(self, trainer: Trainer, doctor: Doctor) -> RunResult:
        """The result of a run that the first process is to go on with; the others end, and it starts new ones."""
        point = rollback.begin(self.config, self.folder, doctor) if trainer.is_global_zero else None
        return RunResult(self.folder.path, "rolled back", trainer.global_step, {}, rolled_back_to=point)

    def _result_of_ended_run(self) -> RunResult:
        """Returns the result of a run that an earlier session has completed."""
        summary = self.folder.read_summary()
        if self.job is None:
            way, *changes = continuation(self.folder.path, self.config, summary)
            way_on = " ".join(["add" if way.startswith("resume=") else f"begin another run by {way}", *changes])
            status = summary["status"] + (
                f" at {printable(summary['stopped_at'])}" if summary.get("stopped_at") else ""
            )
            print(f"{self.folder.path} is {status}, {summary['step']} batches. To train longer, {way_on}")
        else:
            self.folder.summary.touch()  # the new time shows the sweep that this job has ended
        objective = self._objective(summary["final"])
        return RunResult(self.folder.path, summary["status"], summary["step"], summary["final"], objective)

    # Values for comparison with other runs

    def _compared(self) -> Config:
        """Returns the values for the hyperparameter table: the swept keys in a sweep, else seed, data and model."""
        if self.job is not None:
            return self.job.compared
        return {section: self.config[section] for section in ("seed", "data", "model")}

    def _objective(self, metrics: dict[str, Any]) -> float | None:
        name = self.config["objective"]
        if name is None:
            return None
        if name not in metrics:
            raise UserError(f"objective={name}: nothing of that name was logged. There are: {', '.join(metrics)}")
        value = metrics[name]
        if value is None or not math.isfinite(value):
            raise FloatingPointError(f"objective={name}: it is not finite, {value}")
        return value


def _callback(trainer: Trainer, kind: type) -> Any:
    return next(callback for callback in trainer.callbacks if isinstance(callback, kind))  # type: ignore[attr-defined]


def _has(trainer: Trainer, kind: type) -> bool:
    return any(isinstance(callback, kind) for callback in trainer.callbacks)  # type: ignore[attr-defined]


def _status(trainer: Trainer, stop: GracefulStop) -> str:
    if stop.received:
        return "interrupted"
    if any(isinstance(c, Pruning) and c.pruned for c in trainer.callbacks):  # type: ignore[attr-defined]
        return "pruned"
    doctor = Doctor.of(trainer)
    return "stopped" if doctor is not None and doctor.collapsed else "finished"


def _fit_or_stop_others(trainer: Trainer, model: GAN, data: LightningDataModule, start: ResumePoint | None) -> None:
    """Calls `trainer.fit`. If it fails, ends the other processes of this node, and reports one that caused it."""
    try:
        trainer.fit(model, data, ckpt_path=start and start.checkpoint, weights_only=True)
    except BaseException as error:
        launcher: Any = trainer.strategy.launcher
        if launcher is not None:
            failed = launcher.failed_process(error)
            launcher.kill(SIGKILL)  # a collective would wait for us forever
            if failed is not None:
                raise ProcessError(failed) from error
        fault = system_error(error)
        if fault is not None and fault is not error:  # Lightning says of a full disk: "you tried to log 0.7"
            raise fault from None
        if type(error).__module__.partition(".")[0] in ("mlflow", "wandb"):  # no account, no server
            raise UserError(f"logger: {error}") from error
        raise
