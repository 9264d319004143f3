"""The folders of data that runs of this user have trained on; files from elsewhere may name others."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from gan_lightning.files import cache_folder


def remember(root: object) -> None:
    """Records that a new run trains on the data in `root`; does nothing if that is no path."""
    if isinstance(root, str | Path):
        _record(root).parent.mkdir(parents=True, exist_ok=True)
        _record(root).write_text(f"{Path(root).resolve()}\n")


def is_known(root: object) -> bool:
    """Whether a run of this user has trained on the data in `root`, or it is the default folder of data sets."""
    if not isinstance(root, str | Path):
        return False
    default = Path(os.environ.get("GAN_LIGHTNING_DATA", "data"))
    return Path(root).resolve() == default.resolve() or _record(root).is_file()


def _record(root: str | Path) -> Path:
    digest = hashlib.sha256(os.fsencode(Path(root).resolve())).hexdigest()[:32]
    return cache_folder() / "known_folders" / digest
