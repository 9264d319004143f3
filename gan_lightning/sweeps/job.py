"""A sweep's job in a process of its own: what ends it, such as too little memory, ends no other job and no sweep."""

from __future__ import annotations

import logging.config
import multiprocessing
import signal
import sys
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_lightning.errors import ProcessError, UserError
from gan_lightning.training.process import end_with, quick_imports, set_up_process
from gan_lightning.training.run_folder import RunFolder

if TYPE_CHECKING:  # the command line's --help does not need torch
    from gan_lightning.config.instantiate import Config
    from gan_lightning.training.result import RunResult, SweepJob


def fit_apart(
    config: Config, folder: str | Path, job: SweepJob, origin: dict[str, str], job_logging: dict[str, Any]
) -> RunResult:
    """Trains a job of a sweep in a new process, and waits for its end.

    Args:
        config: The checked configuration.
        folder: The run folder.
        job: The facts about the sweep.
        origin: Texts that say where the configuration came from, by file name.
        job_logging: The configuration of the process's log, as of `logging.config.dictConfig`.

    Raises:
        UserError: The process was killed; `summary.json` says so, too.
        Exception: What the run raised.
    """
    multiprocessing.set_start_method(None, force=True)  # the new process takes it over, and joblib's is its own
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_fit, args=(sender, config, str(folder), job, origin, job_logging))
    process.start()
    sender.close()
    try:
        wait([receiver, process.sentinel])
        outcome = receiver.recv() if receiver.poll() else None
    except EOFError:
        outcome = None
    finally:
        process.join()
    if outcome is None:
        outcome = UserError(_reason(process.exitcode or 0))
        run = RunFolder(folder)
        summary = run.known_summary()
        if summary.get("status") == "running":
            run.write_summary(summary | {"status": "failed", "reason": str(outcome)})
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _fit(
    sender: Connection,
    config: Config,
    folder: str,
    job: SweepJob,
    origin: dict[str, str],
    job_logging: dict[str, Any],
) -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    assert parent.pid is not None
    end_with(parent.pid, signal.SIGTERM)  # which stops the run with a checkpoint
    multiprocessing.set_start_method(None, force=True)  # loader workers start as in any other run
    with quick_imports():
        from gan_lightning.training.experiment import Experiment

    logging.config.dictConfig(job_logging)
    set_up_process()
    try:
        outcome: RunResult | Exception = Experiment(config, folder, job, origin).fit()
    except (UserError, FloatingPointError, ProcessError) as error:
        outcome = type(error)(str(error))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except Exception as error:  # it may hold what no other process can read
        logging.getLogger(__name__).exception("the job failed")
        outcome = RuntimeError(f"{type(error).__name__}: {error}")
    sender.send(outcome)


def _reason(code: int) -> str:
    if code >= 0:
        return f"its process ended with exit code {code}"
    hint = ", maybe for lack of memory" if -code == getattr(signal, "SIGKILL", None) else ""
    return f"its process was ended by signal {-code}{hint}"
