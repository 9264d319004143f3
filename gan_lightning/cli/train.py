"""Train a GAN: `gan-train data=mnist model=hinge`, or the same from Python.

Hydra composes the configuration, makes the run folder and starts sweeps; `Experiment` trains.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import run_job
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from gan_lightning._compat.hydra import REFUSED
from gan_lightning.cli import suggestions
from gan_lightning.config import renamed
from gan_lightning.config.guard import guarded
from gan_lightning.config.options import conf_folder
from gan_lightning.config.places import require_places_inside
from gan_lightning.config.resolvers import register_resolvers
from gan_lightning.errors import ProcessError, UserError, file_error, system_error
from gan_lightning.files import AUTO
from gan_lightning.sweeps.callback import PARALLEL_LAUNCHERS, launcher_kind, report_results
from gan_lightning.sweeps.job import fit_apart
from gan_lightning.terminal import error_line
from gan_lightning.training.process import quick_imports, set_up_process
from gan_lightning.training.run_folder import RunFolder

if TYPE_CHECKING:  # --help and completion do not need torch, which takes seconds to import
    from gan_lightning.training.result import RunResult, SweepJob

register_resolvers()  # on import, because the processes of a sweep's launcher import this module only


def main() -> None:
    """The command line; exits with code 1 and one message on a user's mistake."""
    start = hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name="config")
    with suggestions.suggestions(sys.argv[1:]), report_results(), guarded(sys.argv[1:]):
        start(_job)()


def train(overrides: Sequence[str] = (), config_dir: str | Path | None = None) -> RunResult:
    """Trains as the command line does, with the same run folder: `train(["data=mnist", "model=hinge"])`.

    If a signal such as Ctrl-C stops the run, it is raised again in this process after the checkpoint is saved.

    Args:
        overrides: The overrides of the command line, `key=value` each; `resume=<run folder>` resumes a run,
            and `resume=auto` one of this configuration, if there is one in `hydra.run.dir`.
        config_dir: The user's own folder of groups and keys, as `--config-dir` on the command line.

    Returns:
        The run folder, status, step and metrics of the run.

    Raises:
        UserError: A key does not exist, a value is out of range, data is missing, the folder is in use, or the
            overrides describe a sweep.
        FloatingPointError: A loss or a weight is not finite.
    """
    overrides = [str(override) for override in overrides]
    with guarded(), hydra.initialize_config_dir(str(conf_folder()), job_name="train", version_base="1.3"):
        cfg = _composed(overrides, config_dir)
        # An empty callback instead of the sweep's, which a single run does not need.
        context = HydraContext(config_loader=GlobalHydra.instance().config_loader(), callbacks=Callback())  # type: ignore[arg-type]
        interrupt = signal.getsignal(signal.SIGINT)
        try:
            with _restored_logging():
                outcome = run_job(_result_or_error, cfg, "hydra.run.dir", None, context).return_value
        except OmegaConfBaseException as error:  # raised while Hydra resolves hydra.run.dir
            raise UserError(str(error.__cause__ or str(error).splitlines()[0])) from error
        except (OSError, ValueError) as error:
            fault = system_error(error)  # raised while Hydra makes the folder and the log in it
            if fault is None:
                raise
            raise UserError(file_error(fault, "the run folder")) from error
        except SystemExit as leaving:  # what Lightning makes of Ctrl-C while it sets up, and it leaves Ctrl-C ignored
            signal.signal(signal.SIGINT, interrupt)
            raise KeyboardInterrupt from leaving
    if isinstance(outcome, Exception):
        raise outcome
    if outcome.stopped_by:
        signal.raise_signal(outcome.stopped_by)
    return outcome


def run(cfg: DictConfig) -> RunResult:
    """Checks the configuration that Hydra has composed, and trains.

    Raises:
        UserError: The configuration has problems, or a file or the run folder cannot be used.
        FloatingPointError: A loss, a weight or the objective is not finite.
        ProcessError: Another process of the run has failed.
    """
    with quick_imports():
        from gan_lightning.training.experiment import Experiment

    set_up_process()
    if REFUSED in cfg:
        raise UserError(cfg[REFUSED])
    typed, folder = HydraConfig.get().overrides.task, HydraConfig.get().runtime.output_dir
    place = None if cfg.resume is None else str(cfg.resume)  # a name such as 7 is a number in YAML
    try:
        config = _final_config(cfg, typed, folder)
    except OSError as error:
        raise UserError(file_error(error, folder)) from error
    job, origin = _sweep_job(config), _origin(cfg)
    if job is not None and place is None and launcher_kind(HydraConfig.get().launcher) in PARALLEL_LAUNCHERS:
        job_logging: Any = OmegaConf.to_container(HydraConfig.get().job_logging, resolve=True)
        return fit_apart(config, folder, job, origin, job_logging)
    return Experiment(config, folder, job, origin).fit(place)


def _final_config(cfg: DictConfig, typed: Sequence[str], folder: str) -> dict[str, Any]:
    """Returns the checked configuration: that of a new run, of a branch, or of a run that goes on."""
    from gan_lightning.cli.resume import branched_config, resumed_config

    if cfg.resume == AUTO:
        cfg.resume = None  # the saved configuration is that of the new run which this may be
    from_a_run = cfg.resume is not None or cfg.branch_from is not None
    if cfg.branch_from is not None:
        if cfg.resume is not None:
            raise UserError("branch_from and resume: choose one; a branch is resumed by its own folder")
        if cfg.init_from is not None:
            raise UserError("branch_from and init_from: choose one; a branch has the weights of its checkpoint")
        cfg = branched_config(str(cfg.branch_from), typed, folder)
    elif cfg.resume is not None:
        cfg = resumed_config(str(cfg.resume), typed)
    config = _checked(cfg, typed)
    config.pop("reproduce", None)  # what is published is no part of a run
    if config.get("init_from") is not None:
        config["init_from"] = os.path.abspath(config["init_from"])
    require_places_inside(config, HydraConfig.get(), resumed=from_a_run)
    return config


def _origin(cfg: DictConfig) -> dict[str, str]:
    """Returns the files that Hydra's `output_subdir` would have, by name.

    Hydra would write them before a run is refused, over those of the run that is in the folder.
    """
    nodes = {"config": cfg, "hydra": HydraConfig.instance().cfg, "overrides": HydraConfig.get().overrides.task}
    nodes |= {"default": _default(cfg)}
    return {f"{name}.yaml": OmegaConf.to_yaml(node) for name, node in nodes.items()}


def _default(cfg: DictConfig) -> Any:
    """Returns the configuration of a command without overrides, in the folder of this run; its report compares both."""
    default = GlobalHydra.instance().config_loader().load_configuration("config", [], RunMode.RUN)
    with read_write(default), open_dict(default):
        del default["hydra"]
        default.name, default.run_dir = cfg.name, cfg.run_dir
    return OmegaConf.to_container(default, resolve=True)


def _job(cfg: DictConfig) -> float | None:
    """Trains a run of the command line, or a job of a sweep; returns the objective, if the configuration names one.

    A user's mistake or a loss that is not finite ends the process with exit code 1 and one message. In a sweep an
    error ends only that job: its folder records the reason, and `report_results` sets the exit code.
    """
    swept = HydraConfig.get().mode == RunMode.MULTIRUN
    result = _result_or_refusal(cfg) if swept else _result_or_error(cfg)
    if isinstance(result, UserError | FloatingPointError | ProcessError):
        sys.exit(error_line(result))
    if isinstance(result, Exception):
        raise result
    if result is not None and result.stopped_by:
        sys.exit(128 + result.stopped_by)
    return None if result is None else result.objective


def _result_or_error(cfg: DictConfig) -> RunResult | Exception:
    try:
        return run(cfg)
    except Exception as error:  # Hydra would print its own message
        return error


def _result_or_refusal(cfg: DictConfig) -> RunResult | None:
    """Returns the result of a sweep's job; None if it failed, which its folder records."""
    folder = RunFolder(HydraConfig.get().runtime.output_dir)
    before = folder.known_summary()
    gc.collect()  # reference cycles of a failed job may keep GPU memory
    try:
        return run(cfg)
    except Exception as error:
        after = folder.known_summary()
        if after == before or after.get("status") != "failed":
            _refuse(folder, error, cfg)
        if not isinstance(error, UserError | FloatingPointError | ProcessError):
            logging.getLogger(__name__).exception("the job failed")
        return None


def _refuse(folder: RunFolder, error: Exception, cfg: DictConfig) -> None:
    """Records a job that has written no summary of its failure, and what it would have been."""
    containers = {"config": cfg, "choices": HydraConfig.get().runtime.choices}
    origin = {name: OmegaConf.to_container(node, resolve=False) for name, node in containers.items()}
    try:
        folder.refuse(f"{type(error).__name__}: {error}", overrides=list(HydraConfig.get().overrides.task), **origin)
    except OSError:
        print(error_line(error), file=sys.stderr)


def _composed(overrides: list[str], config_dir: str | Path | None) -> DictConfig:
    """Composes the configuration of a single run, with Hydra's own section."""
    options = [override for override in overrides if override.startswith("-")]
    if options:
        raise UserError(
            f"{' '.join(options)}: expected key=value; sweeps (-m) are started by the command line, gan-train"
        )
    if config_dir is not None and not Path(config_dir).is_dir():
        raise UserError(f"config_dir={config_dir}: there is no such folder")
    try:
        cfg = hydra.compose("config", [*suggestions.search_path(config_dir), *overrides], return_hydra_config=True)
    except HydraException as error:
        lines = [str(error), *suggestions.hints(overrides, config_dir)]
        raise UserError("\n".join(lines)) from error
    if cfg.hydra.mode == RunMode.MULTIRUN:
        raise UserError(
            "this is a sweep, and a sweep is started by the command line: gan-train, with the same overrides"
        )
    cfg.hydra.mode = RunMode.RUN
    return cfg


def _checked(cfg: DictConfig, typed: Sequence[str]) -> dict[str, Any]:
    from gan_lightning.config.check import check
    from gan_lightning.config.recipes import drop_absent_callbacks, fit_optimizer, typed_keys

    choices, keys = HydraConfig.get().runtime.choices, typed_keys(typed)
    fit_optimizer(cfg, keys, choices.get("model/optimizer"))
    drop_absent_callbacks(cfg, keys, choices.get("callbacks"))
    try:
        return check(cfg)
    except UserError as error:
        faulty = [override for override in typed if override.lstrip("+~").partition("=")[0] in str(error)]
        hints = renamed.hints(faulty, HydraConfig.get().runtime.choices.get("network", ""))
        raise UserError("\n".join([str(error), *hints])) from error


def _sweep_job(config: dict[str, Any]) -> SweepJob | None:
    """Returns Hydra's facts about the job of a sweep; None for a single run."""
    from gan_lightning.config.instantiate import value_at
    from gan_lightning.training.result import SweepJob

    hydra_config = HydraConfig.get()
    if hydra_config.mode != RunMode.MULTIRUN:
        return None
    typed = (line.lstrip("+~").partition("=")[0] for line in hydra_config.overrides.task)
    swept = [key for key in typed if key not in hydra_config.job.config.override_dirname.exclude_keys]
    return SweepJob(
        compared={key: value_at(config, key, hydra_config.runtime.choices) for key in swept},
        concurrent=not hydra_config.launcher._target_.endswith("BasicLauncher"),
        lengthens=hydra_config.sweeper.get("rungs", 1) != 1,
    )


@contextlib.contextmanager
def _restored_logging() -> Iterator[None]:
    """Restores the caller's log handlers, level and warning filters after a run, which changes them."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        with warnings.catch_warnings():
            yield
    finally:
        for handler in root.handlers[:]:
            root.removeHandler(handler)
            if handler not in handlers:
                handler.close()
        for handler in handlers:
            root.addHandler(handler)
        root.setLevel(level)


if __name__ == "__main__":
    main()
