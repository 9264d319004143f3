"""The Trainer, its arguments that are objects, and preparations before `fit`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal

import lightning
import torch
from lightning import Callback, LightningDataModule
from lightning.fabric.utilities.data import sized_len
from lightning.pytorch.accelerators import CUDAAccelerator
from lightning.pytorch.callbacks import Checkpoint, ProgressBar
from lightning.pytorch.loggers import Logger
from lightning.pytorch.profilers import Profiler

from gan_lightning.callbacks import Evaluation, Writer
from gan_lightning.config.instantiate import Config
from gan_lightning.distributed.strategy import GANStrategy
from gan_lightning.errors import UserError
from gan_lightning.training.blocks import Blocks
from gan_lightning.training.checkpoint import WriterCheckpointIO


class Trainer(lightning.Trainer):
    """Lightning's Trainer, with options for speed.

    Args:
        steps_per_block: The number of batches in an iteration of Lightning's loop: "auto" for as many as there are up
            to the next one after which something is due, such as logging; 1 for Lightning's own loop. The results are
            the same.
        fast: Whether a GPU calculates coarser and faster: in bf16-mixed instead of 32-true where it has bfloat16, with
            penalties in float32; in TensorFloat-32 where numbers are float32; and with the kernels of cuDNN that were
            fastest in a trial. Nothing changes on a CPU.
        args: Arguments of Lightning's Trainer.
        kwargs: Arguments of Lightning's Trainer.
    """

    def __init__(
        self, *args: Any, steps_per_block: Literal["auto", 1] = "auto", fast: bool = False, **kwargs: Any
    ) -> None:
        on_gpu = kwargs.get("accelerator", "auto") != "cpu" and torch.cuda.is_available()
        if fast and on_gpu and torch.cuda.is_bf16_supported() and kwargs.get("precision") in (None, "32-true"):
            kwargs["precision"] = "bf16-mixed"
        super().__init__(*args, **kwargs)
        self.fast = fast
        if steps_per_block == "auto":
            self.callbacks.append(Blocks())  # type: ignore[attr-defined]

    def fit(self, *args: Any, **kwargs: Any) -> None:
        with fast_math() if self.fast and isinstance(self.accelerator, CUDAAccelerator) else nullcontext():
            super().fit(*args, **kwargs)


@contextmanager
def fast_math() -> Iterator[None]:
    """Allows TensorFloat-32 in products and convolutions, and lets cuDNN try its kernels; afterwards all is as before.

    The jobs of a sweep share a process, and so these settings.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=True):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def has_one_process(config: Config) -> bool:
    """Whether the Trainer's section of a configuration asks for a single process."""
    devices = config.get("devices", 1)
    return config.get("num_nodes", 1) == 1 and (devices == 1 or (isinstance(devices, list) and len(devices) == 1))


def trainer_arguments(
    config: Config, folder: Path, callbacks: list[Callback], loggers: list[Logger], strategy: GANStrategy
) -> Config:
    """Returns the arguments of the Trainer that cannot be written in a configuration.

    Args:
        config: The Trainer's section of the configuration.
        folder: The run folder, where Lightning's own callbacks write by default; else it is the current folder.
        callbacks: All callbacks, with one `Writer`.
        loggers: All loggers.
        strategy: The strategy for several processes.
    """
    return {
        "callbacks": callbacks,
        "enable_progress_bar": any(isinstance(callback, ProgressBar) for callback in callbacks),
        "enable_checkpointing": any(isinstance(callback, Checkpoint) for callback in callbacks),
        "logger": loggers,
        "plugins": [WriterCheckpointIO(next(callback for callback in callbacks if isinstance(callback, Writer)))],
        "default_root_dir": config.get("default_root_dir") or folder,
        **({} if config.get("profiler") else {"profiler": _NoProfiler()}),
        "strategy": "auto" if has_one_process(config) else strategy,
    }


def resume_loggers(loggers: Config, step: int, logs: Any) -> Config:
    """Returns the loggers' configuration for a session that begins after `step` batches, and keeps earlier logs.

    Args:
        loggers: The section of the configuration.
        step: The number of batches.
        logs: The identities of the logs of the session before, by the loggers' names, as in `summary.json`.
    """

    def changes(name: str, target: str) -> Config:
        identity = logs.get(name) if isinstance(logs, dict) else None
        known = isinstance(identity, str) and re.fullmatch(r"[\w-]{1,64}", identity)
        by_kind: dict[str, Config] = {
            "TensorBoardLogger": {"purge_step": step + 1},  # a killed run has logged batches after its last checkpoint
            "CSVLogger": {"version": f"csv_from_{step}"},  # this logger deletes the files in its folder
            "MLFlowLogger": {"run_id": identity} if known else {},
            "WandbLogger": {"id": identity} if known else {},
        }
        return by_kind.get(target.rpartition(".")[2], {})

    return {name: node and node | changes(name, node["_target_"]) for name, node in loggers.items()}


def planned_batches(trainer: lightning.Trainer, data: LightningDataModule) -> float:
    """Returns the number of batches of the whole run, with earlier sessions; infinity where there is no limit."""
    loader = trainer.strategy.process_dataloader(data.train_dataloader())  # raises where it cannot be distributed
    limited = trainer.max_epochs not in (None, -1)
    by_epochs = trainer.max_epochs * (sized_len(loader) or math.inf) if limited else math.inf  # type: ignore[operator]
    return min(by_epochs, trainer.max_steps if trainer.max_steps != -1 else math.inf)


def prepare_evaluation(trainer: lightning.Trainer, data: LightningDataModule, config: Config) -> None:
    """Computes the reference features of the real images for the `Evaluation` callbacks.

    Raises:
        UserError: The evaluation does not compute the objective or the monitored metric.
    """
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if not isinstance(callback, Evaluation):
            continue
        available = callback.prepare(data, trainer.strategy.root_device)
        monitor = (config["callbacks"].get("checkpoints") or {}).get("monitor")
        for key, name in (("objective", config["objective"]), ("callbacks.checkpoints.monitor", monitor)):
            if name and name.startswith("metric/") and name not in available:
                raise UserError(
                    f"{key}={name}: the extractor and the data do not give it. They give {', '.join(available)}"
                )


class _NoProfiler(Profiler):
    """A profiler without any cost: Lightning calls it 60 times per batch, and its own PassThroughProfiler is slower."""

    _nothing = nullcontext()

    def profile(self, action_name: str) -> nullcontext[None]:  # type: ignore[override]
        return self._nothing

    def start(self, action_name: str) -> None: ...

    def stop(self, action_name: str) -> None: ...
