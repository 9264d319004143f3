"""One run: check, seed, instantiate, fit, summarize."""

from __future__ import annotations

import gc
import logging
import math
import os
import signal
import sys
import warnings
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NoReturn

import lightning
import torch.distributed as dist
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning import LightningDataModule, Trainer
from lightning.fabric.utilities.data import sized_len
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig

from gan_lightning.callbacks import Evaluation, GracefulStop, Pruning, Record
from gan_lightning.config.check import Config, build, check, value_at
from gan_lightning.errors import UserError
from gan_lightning.models import GAN
from gan_lightning.training import checkpoint, resume
from gan_lightning.training.run_folder import ENDED, RunFolder
from gan_lightning.training.summary import Summary
from gan_lightning.training.trainer import make_trainer


def main(cfg: DictConfig) -> float | None:
    """Trains what `cfg` describes; returns the sweep's objective, if one is named.

    A user's mistake and a loss that is not finite end the process with exit code 1 and one message. In a sweep
    whatever fails ends the job alone: the folder tells why, and `sweeps.report_results` sees to the exit code.
    """
    _set_up_process()
    swept = HydraConfig.get().mode == RunMode.MULTIRUN
    if swept:
        gc.collect()  # a job before this one that failed may hold a GPU's memory in cycles
    folder = RunFolder(HydraConfig.get().runtime.output_dir)
    folder.refusal.unlink(missing_ok=True)
    before = folder.read_summary()
    try:
        return _run(cfg, folder)
    except Exception as error:
        expected = isinstance(error, UserError | FloatingPointError)
        if swept:
            if folder.read_summary() == before:  # it did not come to write of itself
                folder.refuse(f"{type(error).__name__}: {error}")
            if not expected:
                logging.getLogger(__name__).exception("the job failed")
            return None
        if expected:
            sys.exit(f"error: {error}")
        raise


def _run(cfg: DictConfig, folder: RunFolder) -> float | None:
    hydra = HydraConfig.get()
    swept = hydra.mode == RunMode.MULTIRUN
    place = cfg.resume
    if place is not None:
        cfg = resume.resumed_config(place, hydra.overrides.task)
    config = check(cfg)
    if Path(config["run_dir"]).absolute() != folder.path:
        raise UserError(
            f"the run's folder is {config['run_dir']}, not {folder.path}: a run is resumed in its own folder, without "
            "-m; the folder of a new run is chosen by hydra.run.dir"
        )
    with folder.locked(wait=swept) if _is_first_process() else nullcontext():
        if place is not None:
            return _train(config, folder, *resume.matching_checkpoint(place, config))
        if (swept or not _is_first_process()) and resume.same_config(folder, config):
            return _go_on(config, folder)
        if folder.last.exists() and _is_first_process():
            _refuse_to_overwrite(folder, config, swept)
        return _train(config, folder)


def _refuse_to_overwrite(folder: RunFolder, config: Config, swept: bool) -> NoReturn:
    if not swept:
        raise UserError(
            f"{folder.path} holds a run already. Go on with resume={folder.path}, or choose another hydra.run.dir"
        )
    differing = "".join(
        f"\n  {key}: {there!r} there, {here!r} here" for key, there, here in resume.diff_config(folder, config)
    )
    raise UserError(
        f"{folder.path} holds a run already, of another configuration:{differing}\nChoose another hydra.sweep.dir"
    )


def _go_on(config: Config, folder: RunFolder) -> float | None:
    """A job of a sweep that was stopped: it is finished, or goes on, or had not got as far as a checkpoint."""
    summary = folder.read_summary()
    if summary.get("status") in ENDED:
        folder.summary.touch()  # for the sweep's watch
        return _objective(summary["final"], config["objective"])
    return _train(config, folder, *(resume.matching_checkpoint(folder.path, config) if folder.last.exists() else ()))


def _train(config: Config, folder: RunFolder, start: Path | None = None, step: int = 0) -> float | None:
    lightning.seed_everything(config["seed"], verbose=False)
    data: LightningDataModule = build(config, "data")
    data.prepare_data()  # here, so that missing data is found before other processes start
    data.setup("fit")
    model: GAN = build(config, "model")
    record, stop = Record(config, _compared(config)), GracefulStop()
    summary = Summary(config, folder, record)
    trainer = make_trainer(config, [record, stop, summary], step if start else None)
    _prepare_evaluation(trainer, data, config)  # here, for the same reason
    loader = trainer.strategy.process_dataloader(data.train_dataloader())  # refuses what it cannot share, for all
    planned = _planned_batches(trainer, sized_len(loader) or math.inf)
    if start and step >= planned:
        print(f"{folder.path} is finished, {step} batches. To train longer, add trainer.max_steps={2 * step}")
        return _account_for(folder, start, config["objective"])
    try:
        _fit(trainer, model, data, start)
        if trainer.is_global_zero:
            checkpoint.export(model, folder, step=trainer.global_step)
        # A run that was interrupted may not have come to measure it.
        known = not stop.received or config["objective"] in record.metrics
        objective = _objective(record.metrics, config["objective"]) if known else None
        if trainer.is_global_zero:
            summary.write(_status(trainer, stop), objective=objective)
            if HydraConfig.get().mode == RunMode.RUN:  # a sweep has one line a job
                print(summary.closing_words(interrupted=bool(stop.received)))
            if stop.received:
                sys.exit(128 + stop.received)
    except Exception as error:
        summary.write("failed", reason=f"{type(error).__name__}: {error}")
        raise
    finally:
        _leave_process_group(trainer)
    return objective


def _objective(metrics: Mapping[str, float | None], name: str | None) -> float | None:
    """What a sweep goes by.

    Raises:
        UserError: nothing was logged under that name.
        FloatingPointError: it is not finite.
    """
    if name is None:
        return None
    if name not in metrics:
        raise UserError(f"objective={name}: nothing of that name was logged. There are: {', '.join(metrics)}")
    value = metrics[name]
    if value is None or not math.isfinite(value):
        raise FloatingPointError(f"objective={name}: it is not finite, {value}")
    return value


def _account_for(folder: RunFolder, last: Path, objective: str | None) -> float | None:
    """The objective of a run with nothing left to do, which may have died before it could say so."""
    saved = checkpoint.read(last)
    value = _objective(saved["metrics"], objective)
    summary = folder.read_summary()
    if summary.get("status") not in ENDED:
        summary.pop("reason", None)
        account = {"status": "finished", "step": saved["global_step"], "final": saved["metrics"], "objective": value}
        folder.write_summary(summary | account)
    return value


def _status(trainer: Trainer, stop: GracefulStop) -> str:
    if stop.received:
        return "interrupted"
    pruned = any(isinstance(c, Pruning) and c.pruned for c in trainer.callbacks)  # type: ignore[attr-defined]
    return "pruned" if pruned else "finished"


def _compared(config: Config) -> dict[str, Any]:
    """What tells this run from others: in a sweep what was typed to differ, else all that is of interest."""
    hydra = HydraConfig.get()
    if hydra.mode != RunMode.MULTIRUN:
        return {section: config[section] for section in ("seed", "data", "model")}
    typed = (line.lstrip("+~").partition("=")[0] for line in hydra.overrides.task)
    swept = [key for key in typed if key not in hydra.job.config.override_dirname.exclude_keys]
    return {key: value_at(config, key, hydra.runtime.choices) for key in swept}


def _prepare_evaluation(trainer: Trainer, data: LightningDataModule, config: Config) -> None:
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


def _fit(trainer: Trainer, model: GAN, data: LightningDataModule, start: Path | None) -> None:
    try:
        trainer.fit(model, data, ckpt_path=start, weights_only=True)
    except BaseException as error:
        launcher: Any = trainer.strategy.launcher
        if launcher is None:
            raise
        cause = launcher.cause(error)
        launcher.kill(getattr(signal, "SIGKILL", signal.SIGTERM))  # they would wait for us in a collective for ever
        if cause is not None:
            raise RuntimeError(cause) from error
        raise


def _planned_batches(trainer: Trainer, batches_per_epoch: float) -> float:
    by_epochs = trainer.max_epochs * batches_per_epoch if trainer.max_epochs not in (None, -1) else math.inf
    return min(by_epochs, trainer.max_steps if trainer.max_steps != -1 else math.inf)


def _is_first_process() -> bool:
    return rank_zero_only.rank == 0  # type: ignore[attr-defined]


def _leave_process_group(trainer: Trainer) -> None:
    """Lets the next job of a sweep form a group of its own."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()
    launcher: Any = trainer.strategy.launcher
    if getattr(launcher, "procs", None):  # we started the others
        launcher.leave()


def _set_up_process() -> None:
    """Silences what Lightning says of matters that are settled here, and undoes one of its settings."""
    # With it, every optimizer step opens NVIDIA's management library anew: 0.3 ms, 3% of a small GAN's batch.
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"
    logging.getLogger("lightning").handlers.clear()  # Hydra's says it too
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    logging.getLogger("lightning.pytorch.callbacks.model_summary").setLevel(logging.INFO)
    for message in (
        ".*does not have many workers.*",  # the data is in memory
        ".*number of training batches .* is smaller than the logging interval.*",  # we log by batches
        ".*module\\(s\\) in eval mode at the start of training.*",  # the averaged generator
        ".*have no `validation_step`.*",  # a foreign module's validation data serve its metrics
        ".*dataloader is not resumable.*",  # `warn_of_inexact_resume` says what that means
        ".*isinstance\\(treespec, LeafSpec\\).*",  # between Lightning and torch
    ):
        warnings.filterwarnings("ignore", message)
