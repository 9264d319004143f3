"""Early stopping: the end of a run whose metric gets no better, beyond the metric's own noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from lightning import Trainer

from gan_lightning.cadence import StepCallback, due, is_last_batch
from gan_lightning.errors import UserError
from gan_lightning.evaluation.callback import Evaluation
from gan_lightning.metric_names import METRICS
from gan_lightning.models import GAN


class StopAtPlateau(StepCallback):
    """Ends a run when a metric of `Evaluation` has got no better for some evaluations; it stands after `Evaluation`.

    The noise of the metric is its standard deviation over several draws of latents for one generator, that of the
    logged value and `repeats` others. An improvement is larger than `tolerance` standard deviations of the difference
    of two draws. The noise is measured at the first evaluation at which the run could end, and again at each at which
    it would end by the noise measured last; each time takes as long as `repeats` evaluations.

    All processes get the metrics of rank zero, and so they decide alike.

    Args:
        monitor: The metric; larger is better for those that are so, else smaller is.
        patience: The number of evaluations without an improvement after which the run ends.
        tolerance: The number of standard deviations.
        repeats: The number of other draws.

    Raises:
        ValueError: `patience` or `repeats` is less than 1.
    """

    def __init__(
        self, monitor: str = "metric/fid", patience: int = 5, tolerance: float = 2.0, repeats: int = 4
    ) -> None:
        for name, value in (("patience", patience), ("repeats", repeats)):
            if value < 1:
                raise ValueError(f"callbacks.early_stopping.{name}={value}: expected a whole number from 1")
        self.monitor = monitor
        self.patience = patience
        self.tolerance = tolerance
        self.repeats = repeats
        self.sign = -1 if METRICS.get(monitor.removeprefix("metric/")) == "max" else 1
        self.values: dict[int, float] = {}
        """The values of the metric, by batch."""
        self.noise = math.inf
        """The standard deviation over draws of latents, as measured last; infinity before."""
        self.reason: str | None = None
        """Why the run has ended before its last batch; None if it has not."""

    def setup(self, trainer: Trainer, pl_module: GAN, stage: str) -> None:  # type: ignore[override]
        """Finds the evaluation.

        Raises:
            UserError: Nothing computes the metric.
        """
        given: list[str] = []
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, Evaluation):
                given = callback.prepare(trainer.datamodule, trainer.strategy.root_device)  # type: ignore[attr-defined]
                self.evaluation = callback
        if self.monitor not in given:
            instead = f"choose one of {', '.join(given)}" if given else "add metrics=classifier"
            raise UserError(
                f"callbacks.early_stopping.monitor={self.monitor}: expected a metric of callbacks.evaluation, whose "
                f"noise can be measured; {instead}"
            )

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:  # type: ignore[override]
        """Ends a run at once that goes on from the checkpoint at which it had ended, with the same settings."""
        if math.isfinite(self.noise) and self._stands_still():
            self._end(trainer)

    def is_due(self, trainer: Trainer) -> bool:
        # A last batch out of this order has an evaluation, too, which a longer run would not have.
        return due(trainer, self.evaluation.every_n_steps, self.evaluation.every_n_epochs)

    def on_due(self, trainer: Trainer, model: GAN) -> None:
        value = trainer.callback_metrics[self.monitor].item()
        self.values[trainer.global_step] = value
        if self._stands_still():
            others = [self.evaluation.measure(trainer, model, 1 + other)[self.monitor] for other in range(self.repeats)]
            self.noise = torch.tensor([value, *others], dtype=torch.float64).std().item()
            if self._stands_still():
                self._end(trainer)

    def _stands_still(self) -> bool:
        return stands_still(self._signed(), self.noise, self.patience, self.tolerance)

    def _signed(self) -> list[float]:
        """The values, of which smaller ones are better, and none is NaN."""
        return [math.inf if math.isnan(value) else self.sign * value for value in self.values.values()]

    def _end(self, trainer: Trainer) -> None:
        if not is_last_batch(trainer):
            trainer.should_stop = True
            before = self._signed()[: -self.patience]
            step, value = list(self.values.items())[before.index(min(before))]
            best = f"{self.monitor} {value:.4g} ± {self.noise:.2g} at batch {step:,}"
            self.reason = f"a plateau: {best}, and no better beyond noise since"

    def state_dict(self) -> dict[str, Any]:
        return {"monitor": self.monitor, "values": self.values, "noise": self.noise}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if state_dict["monitor"] == self.monitor:
            self.values, self.noise = dict(state_dict["values"]), state_dict["noise"]


def stands_still(values: Sequence[float], noise: float, patience: int, tolerance: float) -> bool:
    """Whether the best of the last `patience` values is no better than the best before them, beyond the noise.

    Args:
        values: The values in their order; smaller is better.
        noise: The standard deviation of a value; that of the difference of two is sqrt(2) times as large.
        patience: The number of values, at least 1.
        tolerance: The number of standard deviations of a difference that an improvement exceeds.
    """
    before, recent = values[:-patience], values[-patience:]
    return bool(before) and min(before) - min(recent) <= tolerance * math.sqrt(2) * noise
