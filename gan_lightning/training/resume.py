"""Resuming a run: the comparison of configurations, and the checkpoint to start from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gan_lightning.config.arguments import default_of
from gan_lightning.config.instantiate import Config, rebase_paths
from gan_lightning.errors import UserError
from gan_lightning.schedules import by_run
from gan_lightning.training import checkpoint, remedies
from gan_lightning.training.run_folder import RunFolder

CHANGEABLE = (
    *("trainer.", "callbacks.", "logger.", "objective"),
    *(f"data.{name}" for name in ("root", "revision", "download", "num_workers", "gpu_memory_fraction")),
)
"""The keys that may change when a run is resumed, and the beginnings of such keys."""
FIXED = (
    "trainer.precision",
    "trainer.fast",
    "callbacks.ema",
    *(f"callbacks.evaluation.{name}" for name in ("extractor", "num", "split", "seed")),
)
"""The exceptions: keys that may not change, though their beginning is in CHANGEABLE."""
WHAT_MAY_CHANGE = (
    f"What may change: {', '.join(name + '*' if name.endswith('.') else name for name in CHANGEABLE)}; "
    f"but not {', '.join(FIXED)}"
)
"""The same, for messages."""


class Change(NamedTuple):
    """A key that differs from the run in the folder: its value there, and its value here."""

    key: str
    there: Any
    here: Any


class ResumePoint(NamedTuple):
    """The checkpoint that a run resumes from, the number of batches before it, and the rollbacks."""

    checkpoint: Path
    step: int
    rollbacks: Sequence[remedies.Rollback] = ()

    def as_list(self) -> list[Any]:
        """Returns what JSON can write, for other processes."""
        return [str(self.checkpoint), self.step, list(self.rollbacks)]

    @classmethod
    def of(cls, written: list[Any] | None) -> ResumePoint | None:
        """Returns the point that `as_list` has written; None stands for the first batch."""
        return None if written is None else cls(Path(written[0]), *written[1:])


def may_change(key: str) -> bool:
    """Whether the key may change when a run is resumed."""
    return key.startswith(CHANGEABLE) and not key.startswith(FIXED)


def changes(folder: RunFolder, config: Config) -> list[Change] | None:
    """Returns the changes from the configuration of the run in `folder`, without `objective`; None if there is no run.

    Another place of the folder is no change, because a run folder may have been moved.
    """
    if not folder.config.is_file():
        return None
    there = folder.read_config()
    there = rebase_paths(there, there["run_dir"], str(folder.path))
    return [change for change in differences("", there, config) if change.key != "objective"]


def matching_checkpoint(place: str | Path, config: Config) -> ResumePoint:
    """Returns the checkpoint at `place`, a run folder or a file, as a point to resume from.

    Raises:
        UserError: There is none, it is damaged, or it was written with another configuration.
    """
    path = checkpoint.locate(str(place))
    saved = _read(path)
    rollbacks = remedies.of_checkpoint(saved)
    require_same(path, saved, remedies.applied(config, rollbacks), may_change)
    _require_same_length(path, saved, config)
    return ResumePoint(path, saved["global_step"], rollbacks)


def _read(path: Path) -> dict[str, Any]:
    try:
        return checkpoint.read(path)
    except UserError as error:
        whole = (file for file in path.parent.glob("*.ckpt") if file.is_file() and not file.samefile(path))
        others = sorted(whole)  # not another name of the same file; step_* come last
        way_on = f"resume={others[-1]}" if others else "there is none, so begin anew in another hydra.run.dir"
        raise UserError(f"{error}: {way_on}") from error


def require_same(path: Path, saved: dict[str, Any], config: Config, allowed: Callable[[str], bool]) -> None:
    """Raises a `UserError` if the checkpoint at `path` differs from `config` in more than the allowed keys."""
    if "config" not in saved:
        raise UserError(
            f"{path} was written by a Trainer of your own: go on with it by trainer.fit(..., ckpt_path=...)"
        )
    checkpoint.require_resumable(saved, path)
    lines = [
        f"{key}: {there!r} in the checkpoint, {here!r} in the run folder"
        for section in ("model", "data", "seed")
        for key, there, here in differences(section, saved["config"].get(section), config[section])
        if not allowed(key)
    ]
    if lines:
        raise UserError(
            f"{path} was written by another configuration than {Path(config['run_dir'], 'config.yaml')}:"
            + "".join(f"\n  {line}" for line in lines[:8])
        )


def _require_same_length(path: Path, saved: dict[str, Any], config: Config) -> None:
    """Raises a `UserError` if the run gets another length, and has numbers that go by the share of the run."""
    names = by_run(config["model"].get("schedules"))
    for key in ("max_steps", "max_epochs", "max_images", "limit_train_batches"):
        there, here = (each["trainer"].get(key) for each in (saved["config"], config))
        if names and there != here:
            raise UserError(
                f"trainer.{key}={here}: it was {there}, and {names[0]} goes by the share of the run (unit: run): with "
                f"another length the batches so far would have had other values. Leave it, or begin a new run "
                f"from here, branch_from={path}"
            )


def require_any_length(config: Config) -> None:
    """Raises a `UserError` if the run has numbers that go by the share of the run, so that it cannot get longer."""
    names = by_run(config["model"].get("schedules"))
    if names:
        raise UserError(
            f"{names[0]} goes by the share of the run (unit: run), and a race trains its runs longer and longer: the "
            "batches of a shorter one would have had other values. Let it count images (unit: images), set it to null, "
            "or train all candidates to the end, hydra.sweeper.rungs=1"
        )


def differences(key: str, there: Any, here: Any) -> Iterator[Change]:
    """Yields the keys below `key` whose values differ between two configurations.

    An argument that one of them leaves out, such as one that is newer than the run, has the default of its class.
    """
    if isinstance(there, dict) and isinstance(here, dict):
        for name in sorted(there.keys() | here.keys(), key=str):
            values = [node[name] if name in node else _left_out(key, there, here, name) for node in (there, here)]
            yield from differences(f"{key}.{name}".lstrip("."), *values)
    elif there != here:
        yield Change(key, there, here)


def _left_out(key: str, there: Config, here: Config, name: str) -> Any:
    """Returns the value of an argument that one of two sections of the same class leaves out; None in others."""
    same = "_target_" in here and there.get("_target_") == here["_target_"]
    return default_of(here, name, key.partition(".")[0]) if same else None
