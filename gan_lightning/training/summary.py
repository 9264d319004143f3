"""The record of a run: `config.yaml`, `summary.json`, and the closing message in the terminal."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lightning import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only

from gan_lightning.callbacks import Checkpoints, Doctor, Record, Report, StopAtPlateau, loggers
from gan_lightning.config.instantiate import Config
from gan_lightning.training.commands import next_commands
from gan_lightning.training.run_folder import ENDED, RunFolder

PACKAGES = ("gan_lightning", "torch", "torchvision", "lightning", "hydra-core", "numpy")


class Summary(Callback):
    """Writes `config.yaml` and `summary.json` of a run.

    Args:
        config: The run's configuration.
        folder: The run folder.
        record: The callback that keeps the last metrics and the training time.
        origin: Texts that say where the configuration came from, by file name; None in a run that goes on.
    """

    def __init__(self, config: Config, folder: RunFolder, record: Record, origin: Mapping[str, str] | None) -> None:
        self.config = config
        self.folder = folder
        self.record = record
        self.origin = origin
        self.init_from: Config | None = None
        """What was loaded of another model's weights, as `initial.load` returns it; None: the run begins without."""
        self._begun = False
        self._logs: dict[str, str] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.trainer = trainer

    @rank_zero_only
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes the first files only now, so that a session that cannot start leaves the folder unchanged."""
        self._begun = True
        names = [name for name, node in self.config["logger"].items() if node is not None]
        self._logs = {name: str(logger.version) for name, logger in zip(names, trainer.loggers, strict=True)}
        self.write("running")  # first: an ended run that goes on has not ended
        # That of an earlier session would tell of its end, while this one trains, and after it was killed.
        self.folder.report.unlink(missing_ok=True)
        self.folder.write_config(self.config, self.origin)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Ends the logs. Lightning would do so, too, and an error of a logger would then hide `exception`."""
        for logger in trainer.loggers:
            with contextlib.suppress(OSError):
                loggers.end(logger, failed=True)
        trainer.loggers = []

    @rank_zero_only
    def write(self, status: str, **more: Any) -> None:
        """Writes `summary.json`; `status` is running, finished, pruned, stopped or interrupted.

        The report comes first: a run that is killed between the two does its final work again.
        """
        account = self._account(status, **more)
        if self._begun and status != "running":
            self._write_reports(account)
        self.folder.write_summary(account)

    def _account(self, status: str, **more: Any) -> dict[str, Any]:
        """The content of `summary.json`; of a session that has not begun to train, what an earlier one wrote."""
        return (self._metrics() if self._begun else self.folder.known_summary()) | {"status": status} | more

    def _write_reports(self, account: Config) -> None:
        for callback in self.trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, Report):
                callback.write(account, self._commands(account))

    def _commands(self, account: Config) -> dict[str, str]:
        data: LightningDataModule = self.trainer.datamodule  # type: ignore[attr-defined]
        return next_commands(self.folder.path, self.config, account, data)

    @rank_zero_only
    def write_failure(self, error: Exception) -> None:
        """Writes why the run failed, if it can: `error` counts, and not another one from here.

        A run that had ended before, and that this session has not begun to go on with, has not failed.
        """
        with contextlib.suppress(OSError):
            if self._begun or self.folder.known_summary().get("status") not in ENDED:
                account = self._account("failed", reason=f"{type(error).__name__}: {error}")
                self.folder.write_summary(account)
                if self._begun and not isinstance(error, OSError):  # a disk that is full has no room for a page
                    self._write_reports(account)

    def _metrics(self) -> dict[str, Any]:
        callbacks: list[Callback] = self.trainer.callbacks  # type: ignore[attr-defined]
        step, seconds = self.trainer.global_step, self.record.seconds
        images = self.record.images
        return {
            "step": step,
            "images_seen": images,
            "seconds": round(seconds, 3),
            "images_per_second": round(images / seconds, 1) if seconds else None,
            "final": self.record.metrics,
            "best": next((c.best for c in self.trainer.checkpoint_callbacks if isinstance(c, Checkpoints)), None),
            "doctor": Doctor.report_of(self.trainer),
            "objective": None,
            "stopped_at": next((c.reason for c in callbacks if isinstance(c, StopAtPlateau)), None),
            "seed": self.config["seed"],
            "branch_from": self.config["branch_from"],
            "init_from": self.init_from,
            "loggers": self._logs,
            "processes": self.trainer.world_size,
            "device": str(self.trainer.strategy.root_device.type),
            "git_commit": _git_commit(),
            "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        }

    def closing_message(self, status: str) -> str:
        """Returns the message at the end of a run: time, speed, losses, metrics, and commands to use next."""
        account = self._metrics() | {"status": status}
        losses = ", ".join(
            f"{player} loss {account['final'][f'loss/{player}']:.3f}"
            for player in ("discriminator", "generator")
            if f"loss/{player}" in account["final"]
        )
        ended = "stopped" if status in ("interrupted", "stopped") else "finished"
        commands = self._commands(account)
        look = [path for path in (self.folder.report, self.folder.samples) if path.exists()]
        pointers = [("look", os.path.relpath(path) + "/" * path.is_dir()) for path in look] + list(commands.items())
        return "\n".join(
            [
                f"{ended} after {account['step']:,} batches in {timedelta(seconds=round(account['seconds']))}: "
                f"{account['images_per_second'] or 0:,.0f} images/s, {losses}",
                *self._quality(account),
                *([f"  stopped   at {account['stopped_at']}"] if account["stopped_at"] else []),
                *(f"  doctor    {problem.line}: {problem.evidence}" for problem in Doctor.problems_of(self.trainer)),
                *self._begins(),
                *(f"  {purpose:8}  {text}" for purpose, text in pointers),
            ]
        )

    def _quality(self, metrics: dict[str, Any]) -> list[str]:
        """Returns a line with the evaluation metrics, if there are any."""
        found = [f"{name.removeprefix('metric/')} {v:.4g}" for name, v in metrics["final"].items() if "metric/" in name]
        best = metrics["best"]
        note = f"; best.ckpt: {best['metric']} {best['value']:.4g} at batch {best['step']:,}" if best else ""
        return [f"  quality   {', '.join(found)}{note}"] if found else []

    def _begins(self) -> list[str]:
        """Returns a line that says whose weights the run began with, or where a branch started, with what changes."""
        origin = self.config["branch_from"]
        if self.init_from:
            path, loaded, new = (self.init_from[name] for name in ("checkpoint", "loaded", "new"))
            return [f"  init      {loaded} tensors of {os.path.relpath(path)}; {len(new)} did not fit: summary.json"]
        if not origin:
            return []
        changes = ", ".join(origin["changes"]) or "no change"
        return [f"  branch    of {os.path.relpath(origin['checkpoint'])} from batch {origin['step']:,}: {changes}"]


@functools.cache
def _git_commit() -> str | None:
    """Returns the commit of the installed code, with the mark -dirty if files have changed since."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        result = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()
