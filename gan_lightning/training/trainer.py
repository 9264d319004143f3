"""The Trainer, its arguments that are objects, and preparations before `fit`."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal

import lightning
import torch
from lightning import Callback, LightningDataModule, LightningModule
from lightning.fabric.utilities.data import sized_len
from lightning.pytorch.accelerators import CUDAAccelerator
from lightning.pytorch.callbacks import Checkpoint, ProgressBar
from lightning.pytorch.loggers import Logger
from lightning.pytorch.profilers import Profiler

from gan_lightning.callbacks import Evaluation, Writer
from gan_lightning.config.instantiate import Config
from gan_lightning.data import ImageData, SyntheticData
from gan_lightning.distributed.strategy import GANStrategy
from gan_lightning.errors import UserError
from gan_lightning.training.blocks import Blocks
from gan_lightning.training.checkpoint import WriterCheckpointIO

log = logging.getLogger(__name__)


class Trainer(lightning.Trainer):
    """Lightning's Trainer, with a length in images, and with options for speed.

    Args:
        steps_per_block: The number of batches in an iteration of Lightning's loop: "auto" for as many as there are up
            to the next one after which something is due, such as logging; 1 for Lightning's own loop. The results are
            the same.
        fast: Whether a GPU calculates coarser and faster: in bf16-mixed instead of 32-true where it has bfloat16, with
            penalties in float32; in TensorFloat-32 where numbers are float32; and with the kernels of cuDNN that were
            fastest in a trial. Nothing changes on a CPU.
        max_images: The number of real images that D sees in the whole run, over all processes; it is rounded up to
            whole batches. None: `max_steps` or `max_epochs` is the length of the run.
        args: Arguments of Lightning's Trainer.
        kwargs: Arguments of Lightning's Trainer.
    """

    def __init__(
        self,
        *args: Any,
        steps_per_block: Literal["auto", 1] = "auto",
        fast: bool = False,
        max_images: int | None = None,
        **kwargs: Any,
    ) -> None:
        if max_images is not None:
            kwargs.setdefault("max_epochs", -1)
        on_gpu = kwargs.get("accelerator", "auto") != "cpu" and torch.cuda.is_available()
        if fast and on_gpu and torch.cuda.is_bf16_supported() and kwargs.get("precision") in (None, "32-true"):
            kwargs["precision"] = "bf16-mixed"
        super().__init__(*args, **kwargs)
        self.fast = fast
        self.max_images = max_images
        if steps_per_block == "auto":
            self.callbacks.append(Blocks())  # type: ignore[attr-defined]

    def fit(  # type: ignore[override]
        self,
        model: LightningModule,
        train_dataloaders: Any = None,
        val_dataloaders: Any = None,
        datamodule: LightningDataModule | None = None,
        **more: Any,
    ) -> None:
        if self.max_images is not None:
            self._limit_batches(datamodule or train_dataloaders)
        with fast_math() if self.fast and isinstance(self.accelerator, CUDAAccelerator) else nullcontext():
            super().fit(model, train_dataloaders, val_dataloaders, datamodule, **more)

    def _limit_batches(self, data: Any) -> None:
        assert self.max_images is not None
        per_batch = images_per_batch(self, data)
        batches = math.ceil(self.max_images / per_batch)
        self.fit_loop.epoch_loop.max_steps = batches
        if self.is_global_zero and batches * per_batch != self.max_images:
            log.info(
                "trainer.max_images=%d: %d batches of %d are %d images",
                *(self.max_images, batches, per_batch, batches * per_batch),
            )


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


def images_per_batch(trainer: lightning.Trainer, data: Any) -> int:
    """Returns the number of real images that D sees in a batch of all processes.

    Args:
        trainer: The Trainer.
        data: Our data module, whose `batch_size` is that number, or another one or a loader: theirs is of one process.

    Raises:
        UserError: The data does not say it.
    """
    size = getattr(data, "batch_size", None)
    if not isinstance(size, int):
        raise UserError(f"trainer.max_images: {type(data).__name__} has no batch_size; use trainer.max_steps")
    return size if isinstance(data, (ImageData, SyntheticData)) else size * trainer.world_size


def planned_batches(trainer: lightning.Trainer, data: LightningDataModule) -> float:
    """Returns the number of batches of the whole run, with earlier sessions; infinity where there is no limit."""
    loader = trainer.strategy.process_dataloader(data.train_dataloader())  # raises where it cannot be distributed
    limited = trainer.max_epochs not in (None, -1)
    by_epochs = trainer.max_epochs * (sized_len(loader) or math.inf) if limited else math.inf  # type: ignore[operator]
    by_steps = trainer.max_steps if trainer.max_steps != -1 else math.inf
    max_images = getattr(trainer, "max_images", None)  # Lightning's own Trainer has no such length
    by_images = math.inf if max_images is None else math.ceil(max_images / images_per_batch(trainer, data))
    return min(by_epochs, by_steps, by_images)


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
