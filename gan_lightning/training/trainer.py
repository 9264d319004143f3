"""Lightning's Trainer as a configuration describes it."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import Any

from lightning import Callback, LightningDataModule, Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Checkpoint, ProgressBar
from lightning.pytorch.profilers import Profiler

from gan_lightning.callbacks import Evaluation
from gan_lightning.config.build import Config, build
from gan_lightning.distributed.strategy import GANStrategy
from gan_lightning.errors import UserError
from gan_lightning.training.checkpoint import AtomicCheckpointIO
from gan_lightning.training.resume import ResumePoint


def make_trainer(
    config: Config, callbacks: list[Callback], start: ResumePoint | None, command: list[str], bar: bool = True
) -> Trainer:
    """Builds `config["trainer"]` with its callbacks and loggers.

    Args:
        config: the resolved configuration.
        callbacks: more of them, which no configuration names.
        start: where an earlier session has left off; None in a new run.
        command: starts another process of this run.
        bar: whether a progress bar may be shown; several at a time would overwrite each other.

    Raises:
        UserError: there are no such devices.
    """
    devices, nodes = config["trainer"].get("devices", 1), config["trainer"].get("num_nodes", 1)
    alone = nodes == 1 and (devices == 1 or (isinstance(devices, list) and len(devices) == 1))
    callbacks = [c for c in [*callbacks, *_built(config, "callbacks")] if bar or not isinstance(c, ProgressBar)]
    try:
        return build(
            config,
            "trainer",
            callbacks=callbacks,
            enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks),
            enable_checkpointing=any(isinstance(callback, Checkpoint) for callback in callbacks),
            logger=_built(config | {"logger": _resume_loggers(config["logger"], start)}, "logger"),
            plugins=[AtomicCheckpointIO()],
            **({} if config["trainer"].get("profiler") else {"profiler": _NoProfiler()}),
            strategy="auto" if alone else GANStrategy(command=command),
        )
    except MisconfigurationException as error:
        raise UserError(f"trainer: {error}. See trainer.accelerator and trainer.devices") from error


def _resume_loggers(loggers: Config, start: ResumePoint | None) -> Config:
    """The loggers' configuration for a later session: what the earlier ones wrote is kept."""
    if start is None:
        return loggers
    changes = {
        "TensorBoardLogger": {"purge_step": start.step + 1},  # a killed run has logged beyond its checkpoint
        "CSVLogger": {"version": f"csv_from_{start.step}"},  # it deletes what it finds in its folder
    }
    return {
        name: logger and logger | changes.get(logger["_target_"].rpartition(".")[2], {})
        for name, logger in loggers.items()
    }


def _built(config: Config, group: str) -> list[Any]:
    """The members of a group of named parts; null switches one off."""
    return [part for part in build(config, group).values() if part is not None]


def planned_batches(trainer: Trainer, data: LightningDataModule) -> float:
    """The batches of the whole run, earlier sessions included."""
    limited = trainer.max_epochs not in (None, -1)
    by_epochs = trainer.max_epochs * len(data.train_dataloader()) if limited else math.inf  # type: ignore[operator]
    return min(by_epochs, trainer.max_steps if trainer.max_steps != -1 else math.inf)


def prepare_evaluation(trainer: Trainer, data: LightningDataModule, config: Config) -> None:
    """Looks at the real images once, for the callbacks that measure quality.

    Raises:
        UserError: the objective or the monitored metric is not among what they measure.
    """
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if not isinstance(callback, Evaluation):
            continue
        given = callback.prepare(data, trainer.strategy.root_device)
        monitor = (config["callbacks"].get("checkpoints") or {}).get("monitor")
        for key, name in (("objective", config["objective"]), ("callbacks.checkpoints.monitor", monitor)):
            if name and name.startswith("metric/") and name not in given:
                raise UserError(
                    f"{key}={name}: the extractor and the data do not give it. They give {', '.join(given)}"
                )


class _NoProfiler(Profiler):
    """Measures nothing, and faster than Lightning's own that measures nothing: it is asked 60 times a batch."""

    _nothing = nullcontext()

    def profile(self, action_name: str) -> nullcontext[None]:  # type: ignore[override]
        return self._nothing

    def start(self, action_name: str) -> None: ...

    def stop(self, action_name: str) -> None: ...
