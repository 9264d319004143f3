"""Where training starts: at the first batch, at a checkpoint, or nowhere, since the run has ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gan_lightning.config.instantiate import Config
from gan_lightning.errors import UserError
from gan_lightning.files import AUTO, run_folder_of
from gan_lightning.training import branch, resume
from gan_lightning.training.run_folder import ENDED, RunFolder

ENDED_RUN = "ended"
"""What `find_start` returns for a run that has ended."""


def require_own_folder(folder: RunFolder, config: Config, resume_from: str | Path | None, in_sweep: bool) -> None:
    """Raises a UserError if a run of this configuration, or resumed from `resume_from`, belongs to another folder."""
    written = RunFolder(config["run_dir"]).path
    if written != folder.path:
        raise UserError(
            f"the run's folder is {written}, not {folder.path}: a run is resumed in its own folder, without -m; the "
            "folder of a new run is chosen by hydra.run.dir"
        )
    if resume_from == AUTO and in_sweep:
        raise UserError("resume=auto: a sweep goes on without it, by hydra.sweep.dir=<its folder>")
    if resume_from not in (None, AUTO) and RunFolder(run_folder_of(resume_from)).path != folder.path:
        raise UserError(f"resume_from={resume_from}: expected {folder.path}, or a checkpoint in it")


def find_start(
    folder: RunFolder, config: Config, resume_from: str | Path | None, in_sweep: bool, lengthens: bool = False
) -> list[Any] | str | None:
    """Finds where training starts.

    Args:
        folder: The run folder, locked.
        config: The configuration.
        resume_from: As of `Experiment.fit`.
        in_sweep: Whether the run is the job of a sweep, which goes on as with "auto".
        lengthens: Whether the job may go on to more images than before.

    Returns:
        What JSON can write: a `ResumePoint` as a list; None for the first batch; `ENDED_RUN`.

    Raises:
        UserError: The folder belongs to another run, or the checkpoint cannot be used.
    """
    if resume_from == AUTO or in_sweep:
        changes = resume.changes(folder, config)
        ended = folder.known_summary().get("status") in ENDED
        if ended and changes == []:
            return ENDED_RUN
        if ended or folder.last.exists():
            kept = [change for change in changes or [] if not (lengthens and _is_longer(change))]
            _require_same_run(folder, kept, in_sweep)
        if folder.last.exists():
            return resume.matching_checkpoint(folder.path, config).as_list()
    elif resume_from is not None:
        point = resume.matching_checkpoint(resume_from, config)
        return ENDED_RUN if _has_stopped_at(point, folder, config) else point.as_list()
    elif folder.holds_run():
        raise UserError(
            f"{folder.path} holds a run already. Go on with resume={folder.path}, or choose another hydra.run.dir"
        )
    folder.remove_leftovers()  # of a session that was killed before its first checkpoint
    return branch.begin(config, folder).as_list() if config["branch_from"] else None


def _is_longer(change: resume.Change) -> bool:
    return change.key == "trainer.max_images" and (change.there or 0) < (change.here or 0)


def _has_stopped_at(point: resume.ResumePoint, folder: RunFolder, config: Config) -> bool:
    """Whether the run has stopped at this checkpoint before its last batch, and would stop again."""
    summary = folder.known_summary()
    stopped = summary.get("status") in ENDED and summary.get("stopped_at") is not None
    return stopped and summary["step"] == point.step and resume.changes(folder, config) == []


def _require_same_run(folder: RunFolder, changes: list[resume.Change], in_sweep: bool) -> None:
    """Raises a UserError if the configuration was changed; outside of a sweep, some keys may be."""
    changes = [change for change in changes if in_sweep or not resume.may_change(change.key)]
    if changes:
        lines = "".join(f"\n  {key}: {there!r} there, {here!r} here" for key, there, here in changes)
        way_on = "Choose another hydra.sweep.dir" if in_sweep else resume.WHAT_MAY_CHANGE
        raise UserError(f"{folder.path} holds a run already, of another configuration:{lines}\n{way_on}")
