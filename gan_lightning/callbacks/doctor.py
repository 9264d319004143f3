"""The doctor: it says, while a run trains, what is wrong with it, since when, and what to change."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from lightning import Trainer
from torch import Tensor

from gan_lightning.cadence import StepCallback, due, is_last_batch
from gan_lightning.callbacks import loggers
from gan_lightning.diagnosis import Diagnosis, Finding, Glance, Signs, measure
from gan_lightning.diagnosis.states import COLLAPSE
from gan_lightning.models import GAN


class Doctor(StepCallback):
    """Measures the signs of a run every so many batches, and names the states that it is in.

    The measurements take no random number of training, so that a run is the same with and without a doctor. They are
    logged as `doctor/*`; the findings are in the progress line, in TensorBoard's texts, in `summary.json` and in
    `report.html`. The states, their rules and the advice are in `gan_lightning.diagnosis.states`.

    Args:
        every_n_updates: The number of updates of G between two measurements; there is one at the end, too.
        on_collapse: What happens when modes collapse: `warn` says it; `stop` ends the run, too; `rollback` goes back to
            the last checkpoint without a sign of it, and goes on from there with the first advice, twice at most, then
            stops.
    """

    ROLLBACKS = 2
    """The largest number of rollbacks in a run."""

    def __init__(self, every_n_updates: int = 200, on_collapse: Literal["warn", "stop", "rollback"] = "warn") -> None:
        self.every_n_updates = every_n_updates
        self.on_collapse = on_collapse
        self.diagnosis = Diagnosis()
        self.rollbacks: list[dict[str, Any]] = []
        """The rollbacks of the run so far, as `gan_lightning.training.rollback` writes them."""
        self.collapsed: str | None = None
        """Why the run stops or is rolled back; None: it does not."""
        self._points: Tensor | None = None
        self._glance: Glance | None = None
        self._healthy_at = -1
        self._before_extra: dict[str, Any] | None = None

    @classmethod
    def of(cls, trainer: Trainer) -> Doctor | None:
        """Returns the doctor of a Trainer, if it has one."""
        return next((callback for callback in trainer.callbacks if isinstance(callback, cls)), None)  # type: ignore[attr-defined]

    @classmethod
    def problems_of(cls, trainer: Trainer) -> list[Finding]:
        """Returns what is wrong with the run of a Trainer, as its doctor has found, the gravest first."""
        doctor = cls.of(trainer)
        return [finding for finding in doctor.diagnosis.findings() if finding.state.is_problem] if doctor else []

    @classmethod
    def report_of(cls, trainer: Trainer) -> dict[str, Any] | None:
        """Returns what `summary.json` has of the doctor of a Trainer; None: it has none."""
        doctor = cls.of(trainer)
        if doctor is None:
            return None
        diagnosis = doctor.diagnosis
        return {
            "measurements": len(diagnosis.history),
            "findings": [finding.as_dict() for finding in diagnosis.findings()],
            "course": diagnosis.course,
            "rollbacks": doctor.rollbacks,
        }

    def setup(self, trainer: Trainer, pl_module: GAN, stage: str) -> None:  # type: ignore[override]
        if trainer.is_global_zero:
            self._glance = Glance.of(trainer.datamodule)  # type: ignore[attr-defined]

    def is_due(self, trainer: Trainer) -> bool:
        return self._is_regular(trainer) or is_last_batch(trainer)

    def _is_regular(self, trainer: Trainer) -> bool:
        """Whether a measurement is due after this batch that a longer run would have, too."""
        n_critic: int = trainer.lightning_module.n_critic  # type: ignore[union-attr, assignment]
        return due(trainer, self.every_n_updates * n_critic, None)

    def on_due(self, trainer: Trainer, model: GAN) -> None:
        model.require_finite_losses()
        found = self._examine(trainer, model) if trainer.is_global_zero else ({}, None, True)
        numbers, collapse, is_healthy = trainer.strategy.broadcast(found)
        model.log_now(numbers)
        if self.on_collapse != "warn" and not is_last_batch(trainer):
            self.collapsed = collapse
            trainer.should_stop |= collapse is not None
        self._healthy_at = trainer.global_step if is_healthy else -1

    def _examine(self, trainer: Trainer, model: GAN) -> tuple[dict[str, float], str | None, bool]:
        """Measures; returns the numbers to log, what is said of a collapse, and whether there is no sign of one."""
        precise = trainer.precision != "16-mixed"  # there, gradients may still have the scale of the loss
        signs, points = measure(model, self._glance, trainer.global_step, self._points, precise)
        if not self._is_regular(trainer):
            self._before_extra = self.state_dict()
        self._points = points
        self.diagnosis.add(signs)
        findings = self.diagnosis.findings()
        if self.diagnosis.course and self.diagnosis.course[-1][0] == signs.step:
            text = "\n\n".join(map(_markdown, findings)) or "Nothing is wrong any more."
            for logger in trainer.loggers:
                loggers.log_text(logger, "doctor", text, trainer.global_step)
        line = next((finding.line for finding in findings if finding.state.name == COLLAPSE), None)
        numbers = {f"doctor/{name}": value for name, value in signs.numbers().items()}
        return numbers, line, self.diagnosis.is_healthy

    @property
    def rolls_back(self) -> bool:
        """Whether the run is to go on from its last healthy checkpoint."""
        may = self.on_collapse == "rollback" and len(self.rollbacks) < self.ROLLBACKS
        return self.collapsed is not None and may

    def keeps_checkpoint(self, trainer: Trainer) -> bool:
        """Whether the checkpoint of this batch is one to which a run may be rolled back."""
        return self.on_collapse == "rollback" and self._healthy_at == trainer.global_step

    def state_dict(self) -> dict[str, Any]:
        return self._before_extra or {
            "history": [asdict(signs) for signs in self.diagnosis.history],
            "course": list(self.diagnosis.course),
            "held": {name: list(held) for name, held in self.diagnosis.held.items()},
            "begin": self.diagnosis.begin,
            "points": self._points,
            "rollbacks": self.rollbacks,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        history = [Signs(**signs) for signs in state_dict["history"]]
        self.diagnosis = Diagnosis(history, *(state_dict[name] for name in ("course", "held", "begin")))
        self._points = state_dict["points"]
        self.rollbacks = state_dict["rollbacks"]


def _markdown(finding: Finding) -> str:
    state = finding.state
    advice = "".join(f"\n- `{key}`: {text}" for key, text in state.advice)
    source = f"\n\nSource: {state.source}" if state.source else ""
    return f"**{finding.line}**: {finding.evidence}.\n\n{state.meaning}\n{advice}{source}"
