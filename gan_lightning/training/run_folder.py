"""The run folder: the names of its files, and the lock that keeps other processes out."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from gan_lightning.errors import UserError
from gan_lightning.files import PARTS, atomic, read_json, remove_stale_parts, write_json
from gan_lightning.yaml_file import read_yaml

ENDED = ("finished", "pruned", "stopped")
"""The statuses in `summary.json` of completed runs."""
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
"""What a file system answers that cannot lock files."""
ORIGIN = ".hydra"
"""The folder in a run folder with the files that say where its configuration came from."""


class RunFolder:
    """The files of one run.

    Args:
        path: The run folder; it need not exist yet.
    """

    PATIENCE = 10.0
    """The time to wait for a folder in use, in seconds: loader workers of a killed run keep the lock for a while."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(os.path.abspath(path))  # without .., as Hydra names it, too
        self.config = self.path / "config.yaml"
        self.summary = self.path / "summary.json"
        self.refusal = self.path / "refused.json"
        self.checkpoints = self.path / "checkpoints"
        self.last = self.checkpoints / "last.ckpt"
        self.samples = self.path / "samples"
        self.report = self.path / "report.html"

    def is_locked(self) -> bool:
        """Whether a process is training in this folder."""
        if not (self.path / ".lock").exists():
            return False
        try:
            with FileLock(self.path / ".lock", timeout=0):
                return False
        except Timeout:
            return True
        except (OSError, NotImplementedError):  # a folder that cannot be locked; no run begins there
            return False

    @contextlib.contextmanager
    def locked(self, wait: bool = False) -> Iterator[None]:
        """Keeps other processes from training in this folder. The system releases the lock when the process dies.

        Args:
            wait: Whether to wait without a limit for another process; otherwise it is `PATIENCE`.

        Raises:
            UserError: The folder is still in use after that time, or its file system cannot lock files.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=-1 if wait else self.PATIENCE)
        except Timeout as error:
            raise UserError(
                f"{self.path} is in use by another training process. Wait for it, stop it, or choose another "
                "hydra.run.dir"
            ) from error
        except (OSError, NotImplementedError) as error:
            if isinstance(error, OSError) and error.errno not in NO_LOCKS:
                raise
            raise UserError(
                f"{self.path}: its file system cannot lock files ({error}), and two processes could train in one "
                "folder. Choose a hydra.run.dir on another file system"
            ) from error
        try:
            remove_stale_parts(self.path.rglob(PARTS))
            yield
        finally:
            lock.release()

    def write_config(self, config: dict[str, Any], origin: Mapping[str, str] | None = None) -> None:
        """Writes `config.yaml`, and the files of `ORIGIN`, so that all of them are of one run at every moment.

        Args:
            config: The configuration of the run that begins or goes on.
            origin: The texts of these files by name; None keeps those of a run that goes on.
        """
        if origin is not None:
            self.config.unlink(missing_ok=True)  # of a run without a checkpoint, which the new one replaces
            for path in (self.path / ORIGIN).glob("*.yaml"):
                path.unlink()
            for name, text in origin.items():
                _write_text(text, self.path / ORIGIN / name)
        _write_text(yaml.safe_dump(config, sort_keys=False), self.config)

    def read_config(self) -> dict[str, Any]:
        """Returns the configuration of the run in the folder.

        Raises:
            UserError: There is none, or it is damaged.
        """
        config = read_yaml(self.config, dict)
        if not isinstance(config.get("run_dir"), str):
            raise UserError(f"{self.config} is damaged: expected the configuration of a run, with its run_dir")
        return config

    def write_summary(self, summary: dict[str, Any]) -> None:
        write_json(summary, self.summary)

    def read_summary(self) -> dict[str, Any]:
        """Returns `summary.json`; an empty dict if there is none.

        Raises:
            UserError: It is damaged.
        """
        summary = read_json(self.summary)
        ended = summary.get("status") in ENDED
        for name, kind in (("status", str), ("step", int), ("final", dict)):
            if not isinstance(summary.get(name, None if ended else kind()), kind):
                raise UserError(f"{self.summary} is damaged: its {name} is {summary.get(name)!r:.100}")
        for name, value in (summary.get("final") or {}).items():
            if not isinstance(value, int | float | None):
                raise UserError(f"{self.summary} is damaged: its {name} is {value!r:.100}")
        return summary

    def known_summary(self) -> dict[str, Any]:
        """Returns `summary.json`; an empty dict if there is none or it is damaged, as a run goes on without it."""
        try:
            return self.read_summary()
        except (UserError, OSError) as error:
            logging.getLogger(__name__).warning("%s. The run goes on without it", error)
            return {}

    def holds_run(self) -> bool:
        """Whether there is a run that a new one would overwrite: one with a checkpoint, or without but completed."""
        return self.last.exists() or self.known_summary().get("status") in ENDED

    def remove_leftovers(self) -> None:
        """Removes the logs and sample grids of a session that was killed before its first checkpoint.

        The run begins anew, and its own points would double theirs. What is in a folder without a run, or with one that
        has ended, belongs to the user.
        """
        if self.config.is_file() and self.known_summary().get("status") not in ENDED:
            for pattern in ("events.out.tfevents.*", "csv/metrics.csv", "samples/step_*.png"):
                for path in self.path.glob(pattern):
                    path.unlink(missing_ok=True)  # processes of a cluster do the same at the same time

    def refuse(self, reason: str, **origin: Any) -> None:
        """Writes to `refused.json` why a job could not start. The files of another run here stay unchanged.

        Args:
            reason: The error.
            origin: What the job would have been: `config`, `overrides` and `choices`.
        """
        write_json({"status": "refused", "reason": reason} | origin, self.refusal)

    def read_refusal(self) -> dict[str, Any]:
        """Returns `refused.json`; an empty dict if there is none.

        Raises:
            UserError: It is damaged.
        """
        return read_json(self.refusal)


def _write_text(text: str, path: Path) -> None:
    with atomic(path) as partial:
        partial.write_text(text, encoding="utf-8")
