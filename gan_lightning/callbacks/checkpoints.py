"""Checkpoints from which a run resumes bit-exactly."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from torch import Tensor
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from gan_lightning.cadence import StepCallback, due, is_last_batch
from gan_lightning.callbacks.doctor import Doctor
from gan_lightning.callbacks.writer import Writer
from gan_lightning.files import link
from gan_lightning.metric_names import METRICS
from gan_lightning.models import GAN

HEALTHY = "healthy.ckpt"
"""The last checkpoint of a healthy run, as of `Diagnosis.is_healthy`, if the run may be rolled back to it."""


class Checkpoints(StepCallback, Checkpoint):
    """Writes `checkpoints/last.ckpt`, and permanent checkpoints such as `checkpoints/step_00000500.ckpt`.

    With `monitor`, `checkpoints/best.ckpt` is the state at which that metric was best.

    It saves at the end of a batch, after all other callbacks, so that a checkpoint is the state between two batches.
    Checkpoints of the same batch are one file with several names (hard links), where the file system has them.
    Lightning's own ModelCheckpoint warns at every save under manual optimization and
    can miss the last batch. Weights and optimizer states that are not finite are never saved.

    Args:
        folder: The run folder.
        every_n_steps: The number of batches between two saves of `last.ckpt`; it is also saved at the end.
        every_n_seconds: The time after which `last.ckpt` is saved again; it is looked at after every
            `trainer.log_every_n_steps` batches, by rank zero. None: saves do not depend on the time.
        keep_every_n_steps: The number of batches between permanent checkpoints; None: none by batches.
        keep_every_n_epochs: The number of epochs between permanent checkpoints; None: none by epochs.
        monitor: The logged metric that decides which checkpoint is the best, such as metric/fid; None: no best.ckpt.
        mode: Whether smaller (min) or larger (max) is better; None: as known for metric/*, else min.

    Raises:
        FloatingPointError: When saving, if a weight or a state of an optimizer is not finite.
    """

    def __init__(
        self,
        folder: str,
        every_n_steps: int | None = 1000,
        every_n_seconds: float | None = None,
        keep_every_n_steps: int | None = None,
        keep_every_n_epochs: int | None = None,
        monitor: str | None = None,
        mode: Literal["min", "max"] | None = None,
    ) -> None:
        self.folder = Path(folder, "checkpoints")
        self.every_n_steps = every_n_steps
        self.every_n_seconds = every_n_seconds
        self.keep_every_n_steps = keep_every_n_steps
        self.keep_every_n_epochs = keep_every_n_epochs
        self.monitor = monitor
        self.mode = mode or METRICS.get((monitor or "").removeprefix("metric/"), "min")
        self.best: dict[str, Any] | None = None
        """Metric, value and step of the best checkpoint."""
        self._saved_at = -1
        self._saved_time = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._saved_time = time.monotonic()

    def is_due(self, trainer: Trainer) -> bool:
        ends = trainer.should_stop or is_last_batch(trainer)
        saves = ends or due(trainer, self.every_n_steps, None) or self._keeps(trainer) or self._is_best(trainer)
        return saves or self._time_has_passed(trainer) or self._is_healthy(trainer)

    def on_due(self, trainer: Trainer, model: LightningModule) -> None:
        names = [f"step_{trainer.global_step:08d}.ckpt"] if self._keeps(trainer) else []
        if self._is_best(trainer):
            value = trainer.callback_metrics[self.monitor].item()  # type: ignore[index]
            self.best = {"metric": self.monitor, "value": value, "step": trainer.global_step}
            names.append("best.ckpt")
        if self._is_healthy(trainer):
            names.append(HEALTHY)
        self._save(trainer, *names, "last.ckpt")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._saved_at != trainer.global_step:  # another callback stopped training at the end of an epoch
            self._save(trainer, "last.ckpt")

    def _time_has_passed(self, trainer: Trainer) -> bool:
        """Whether the last save is `every_n_seconds` ago; all processes get the answer of rank zero."""
        if self.every_n_seconds is None or not due(trainer, trainer.log_every_n_steps, None):  # type: ignore[attr-defined]
            return False
        return trainer.strategy.broadcast(time.monotonic() - self._saved_time >= self.every_n_seconds)

    def _keeps(self, trainer: Trainer) -> bool:
        return due(trainer, self.keep_every_n_steps, self.keep_every_n_epochs)

    def _is_best(self, trainer: Trainer) -> bool:
        """Whether the monitored metric is better than all before."""
        metric = trainer.callback_metrics.get(self.monitor) if self.monitor else None
        if metric is None or not metric.isfinite():
            return False
        value, sign = metric.item(), -1 if self.mode == "max" else 1
        same = self.best is not None and self.best["metric"] == self.monitor
        return not same or sign * value < sign * self.best["value"]  # type: ignore[index]

    def _is_healthy(self, trainer: Trainer) -> bool:
        doctor = Doctor.of(trainer)
        return doctor is not None and doctor.keeps_checkpoint(trainer)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"]

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint["batches_per_epoch"] = int(trainer.num_training_batches)
        _count_batches(checkpoint)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        _count_batches(checkpoint)  # files of format 2 and below have Lightning's own counters
        if Path(str(trainer.ckpt_path)) == self.folder / "last.ckpt":
            self._saved_at = checkpoint["global_step"]

    def _save(self, trainer: Trainer, name: str, *others: str) -> None:
        """Saves one file of that name, and then gives it the other names, in this order."""
        model: GAN = trainer.lightning_module  # type: ignore[assignment]
        require_finite(model, trainer.optimizers, trainer.global_step)
        path = self.folder / name
        trainer.save_checkpoint(path)
        if trainer.is_global_zero:
            for other in others:
                Writer.of(trainer).submit(partial(link, path, self.folder / other))
        self._saved_at, self._saved_time = trainer.global_step, time.monotonic()


def _count_batches(checkpoint: dict[str, Any]) -> None:
    """Rewrites Lightning's counters, so that they describe the state between two batches, or between two epochs.

    Lightning's own count the iterations of its loop, and describe one that has not ended yet. From them it derives a
    wrong epoch after the last batch of an epoch.
    """
    step = checkpoint["global_step"]
    epochs, batches = divmod(step, checkpoint["batches_per_epoch"])
    begun = epochs + (batches > 0)
    loop = checkpoint["loops"]["fit_loop"]
    counts = {"ready": begun, "started": begun, "processed": epochs, "completed": epochs}
    loop["epoch_progress"] = {"total": dict(counts), "current": dict(counts)}
    loop["epoch_loop.batch_progress"] = {
        "total": dict.fromkeys(counts, step),
        "current": dict.fromkeys(counts, batches),
        "is_last_batch": False,
    }
    loop["epoch_loop.state_dict"]["_batches_that_stepped"] = step


def require_finite(model: GAN, optimizers: Sequence[Optimizer], step: int) -> None:
    """Checks the weights of a model and the state of its optimizers after `step` batches, before they are saved.

    Raises:
        FloatingPointError: A value, or a loss that led to them, is not finite.
    """
    model.require_finite_losses()
    name_of: dict[Tensor, str] = {parameter: name for name, parameter in model.named_parameters()}
    states = (
        (f"{key} of {name_of.get(parameter, 'a parameter')}", value)
        for optimizer in optimizers
        for parameter, state in optimizer.state.items()
        for key, value in state.items()
    )
    named = [
        (name, value)
        for name, value in (*model.state_dict().items(), *states)
        if isinstance(value, Tensor) and value.is_floating_point() and value.numel()
    ]
    largest = get_total_norm([value for _, value in named], math.inf)  # waits for a GPU once, not at every tensor
    if not largest.isfinite():
        name = next(name for name, value in named if not value.isfinite().all())
        raise FloatingPointError(
            f"{name} is not finite after batch {step}, and was not saved; earlier checkpoints are intact. "
            "A smaller model.optimizer.lr or a model.gradient_clip_norm may help: branch_from=<checkpoint> starts "
            "a new run there with them"
        )
