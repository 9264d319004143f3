"""What Lightning's Trainer needs beside its configuration."""

from __future__ import annotations

import math
from contextlib import nullcontext

from lightning import Callback, LightningDataModule, Trainer
from lightning.fabric.utilities.data import sized_len
from lightning.pytorch.callbacks import Checkpoint, ProgressBar
from lightning.pytorch.loggers import Logger
from lightning.pytorch.profilers import Profiler

from gan_lightning.callbacks import Evaluation
from gan_lightning.config.targets import Config
from gan_lightning.distributed.strategy import GANStrategy
from gan_lightning.errors import UserError
from gan_lightning.training.checkpoint import AtomicCheckpointIO


def trainer_arguments(config: Config, callbacks: list[Callback], loggers: list[Logger], command: list[str]) -> Config:
    """The arguments of the Trainer that no configuration can hold.

    Args:
        config: the Trainer's section of the configuration.
        callbacks: all of them.
        loggers: all of them.
        command: starts another process of this run.
    """
    devices, nodes = config.get("devices", 1), config.get("num_nodes", 1)
    alone = nodes == 1 and (devices == 1 or (isinstance(devices, list) and len(devices) == 1))
    return {
        "callbacks": callbacks,
        "enable_progress_bar": any(isinstance(callback, ProgressBar) for callback in callbacks),
        "enable_checkpointing": any(isinstance(callback, Checkpoint) for callback in callbacks),
        "logger": loggers,
        "plugins": [AtomicCheckpointIO()],
        **({} if config.get("profiler") else {"profiler": _NoProfiler()}),
        "strategy": "auto" if alone else GANStrategy(command=command),
    }


def resume_loggers(loggers: Config, step: int) -> Config:
    """The loggers' configuration for a session that begins after `step` batches: what earlier ones wrote is kept."""
    changes = {
        "TensorBoardLogger": {"purge_step": step + 1},  # a killed run has logged beyond its checkpoint
        "CSVLogger": {"version": f"csv_from_{step}"},  # it deletes what it finds in its folder
    }
    return {
        name: logger and logger | changes.get(logger["_target_"].rpartition(".")[2], {})
        for name, logger in loggers.items()
    }


def planned_batches(trainer: Trainer, data: LightningDataModule) -> float:
    """The batches of the whole run, earlier sessions included."""
    loader = trainer.strategy.process_dataloader(data.train_dataloader())  # refuses what it cannot share
    limited = trainer.max_epochs not in (None, -1)
    by_epochs = trainer.max_epochs * (sized_len(loader) or math.inf) if limited else math.inf  # type: ignore[operator]
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
