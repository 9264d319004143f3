"""Early stopping of the bad runs of a sweep."""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer

from gan_lightning.cadence import StepCallback, due, is_last_batch
from gan_lightning.files import write_json
from gan_lightning.metric_names import METRICS


class Pruning(StepCallback):
    """Stops runs by the median rule: Golovin et al. 2017 (Google Vizier), section 3.2.2.

    For each other run that got as far, take the mean of its metric up to this batch. A run stops if its best value so
    far is worse than the median of these means. Runs exchange values through files, so that any launcher works.

    Args:
        folder: The run folder; those of the other runs are beside it.
        monitor: The logged metric; larger is better for the metric/* that are so, else smaller is.
        every_n_steps: The number of batches between two decisions.
        least: The number of other runs that must have got as far before a run is stopped.
    """

    NAME = "pruning.json"

    def __init__(self, folder: str, monitor: str, every_n_steps: int, least: int = 4) -> None:
        self.folder = Path(folder)
        self.monitor = monitor
        self.every_n_steps = every_n_steps
        self.least = least
        self.sign = -1 if METRICS.get(monitor.removeprefix("metric/")) == "max" else 1
        self.values: dict[int, float] = {}
        """The values of the metric, by batch."""
        self.pruned = False

    def is_due(self, trainer: Trainer) -> bool:
        return due(trainer, self.every_n_steps, None)

    def on_due(self, trainer: Trainer, model: LightningModule) -> None:
        metric = trainer.callback_metrics.get(self.monitor)
        if metric is None:
            return
        self.values[trainer.global_step] = metric.item()
        if trainer.is_global_zero:
            write_json({"monitor": self.monitor, "values": self.values}, self.folder / self.NAME)
            self.pruned = not is_last_batch(trainer) and self._is_behind(trainer.global_step)
        self.pruned = trainer.strategy.broadcast(self.pruned)
        trainer.should_stop |= self.pruned

    def _is_behind(self, step: int) -> bool:
        means = [statistics.mean(v for s, v in other.items() if s <= step) for other in self._others(step)]
        own = [self.sign * value for value in self.values.values() if math.isfinite(value)]
        best = min(own, default=math.inf)
        return len(means) >= self.least and best > statistics.median(self.sign * mean for mean in means)

    def _others(self, step: int) -> list[dict[int, float]]:
        """The values of the other runs that got as far as `step`."""
        found = []
        for path in self.folder.parent.glob(f"*/{self.NAME}"):
            content = json.loads(path.read_text())
            values = {int(s): v for s, v in content["values"].items() if v is not None}
            if path.parent != self.folder and content["monitor"] == self.monitor and max(values, default=0) >= step:
                found.append(values)
        return found

    def state_dict(self) -> dict[str, Any]:
        return {"values": self.values}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.values = state_dict["values"]
