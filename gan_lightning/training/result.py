"""What a run needs to know of its sweep, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from gan_lightning.config.instantiate import Config
from gan_lightning.training.resume import ResumePoint


@dataclass(frozen=True)
class SweepJob:
    """The facts about a sweep that one of its jobs needs.

    Attributes:
        compared: The values of the swept keys; TensorBoard shows them in a table.
        concurrent: Whether other jobs run at the same time.
        lengthens: Whether the run may go on to more images than before, as that of a race does.
    """

    compared: Config = field(default_factory=dict)
    concurrent: bool = False
    lengthens: bool = False


@dataclass(frozen=True)
class RunResult:
    """The result of a run.

    Attributes:
        folder: The run folder.
        status: finished, pruned, stopped (by the doctor) or interrupted; of `train`, also rolled back.
        step: The number of batches that the run has trained on, with those of earlier sessions.
        metrics: The last value of every logged metric, by name.
        objective: The value of the metric that `config["objective"]` names; None where it names none.
        stopped_by: The number of the signal that interrupted the run, or 0.
        rolled_back_to: The checkpoint from which a run that is rolled back is to go on, else None.
    """

    folder: Path
    status: str
    step: int
    metrics: dict[str, float | None]
    objective: float | None = None
    stopped_by: int = 0
    rolled_back_to: ResumePoint | None = None
