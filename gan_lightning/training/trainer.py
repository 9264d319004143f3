"""Lightning's Trainer as a configuration describes it."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning import Callback, Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Checkpoint, ProgressBar
from lightning.pytorch.profilers import Profiler

from gan_lightning.config.check import Config, build
from gan_lightning.distributed.strategy import GANStrategy
from gan_lightning.errors import UserError
from gan_lightning.training.checkpoint import AtomicCheckpointIO


def make_trainer(config: Config, callbacks: list[Callback], resumed_at: int | None) -> Trainer:
    """Builds `config["trainer"]` with its callbacks and loggers.

    Args:
        config: the resolved configuration.
        callbacks: more of them, which no configuration names.
        resumed_at: the batches that an earlier session has behind it; None in a new run.

    Raises:
        UserError: there are no such devices.
    """
    devices, nodes = config["trainer"].get("devices", 1), config["trainer"].get("num_nodes", 1)
    alone = nodes == 1 and (devices == 1 or (isinstance(devices, list) and len(devices) == 1))
    callbacks += _built(config, "callbacks")
    if _runs_concurrently():  # several bars would overwrite each other
        callbacks = [callback for callback in callbacks if not isinstance(callback, ProgressBar)]
    try:
        return build(
            config,
            "trainer",
            callbacks=callbacks,
            enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks),
            enable_checkpointing=any(isinstance(callback, Checkpoint) for callback in callbacks),
            logger=_built(config | {"logger": _resume_loggers(config["logger"], resumed_at)}, "logger"),
            plugins=[AtomicCheckpointIO()],
            **({} if config["trainer"].get("profiler") else {"profiler": _NoProfiler()}),
            strategy="auto" if alone else GANStrategy(),
        )
    except MisconfigurationException as error:
        raise UserError(f"trainer: {error}. See trainer.accelerator and trainer.devices") from error


def _resume_loggers(loggers: Config, resumed_at: int | None) -> Config:
    """The loggers' configuration for a later session: what the earlier ones wrote is kept."""
    if resumed_at is None:
        return loggers
    changes = {
        "TensorBoardLogger": {"purge_step": resumed_at + 1},  # a killed run has logged beyond its checkpoint
        "CSVLogger": {"version": f"csv_from_{resumed_at}"},  # it deletes what it finds in its folder
    }
    return {
        name: logger and logger | changes.get(logger["_target_"].rpartition(".")[2], {})
        for name, logger in loggers.items()
    }


def _built(config: Config, group: str) -> list[Any]:
    """The members of a group of named parts; null switches one off."""
    return [part for part in build(config, group).values() if part is not None]


def _runs_concurrently() -> bool:
    """Whether this is a job of a sweep that has others at the same time."""
    hydra = HydraConfig.get()
    return hydra.mode == RunMode.MULTIRUN and not hydra.launcher._target_.endswith("BasicLauncher")


class _NoProfiler(Profiler):
    """Measures nothing, and faster than Lightning's own that measures nothing: it is asked 60 times a batch."""

    _nothing = nullcontext()

    def profile(self, action_name: str) -> nullcontext[None]:  # type: ignore[override]
        return self._nothing

    def start(self, action_name: str) -> None: ...

    def stop(self, action_name: str) -> None: ...
