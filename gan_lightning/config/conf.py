"""The YAML files that come with the package, and what there is to choose among them."""

from __future__ import annotations

import itertools
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent


def conf_folder() -> Path:
    """The folder of config.yaml and its groups: inside an installed package, beside it in a checkout."""
    installed = PACKAGE / "conf"
    return installed if installed.is_dir() else PACKAGE.parent / "conf"


def list_models() -> dict[str, str]:
    """What `model=` takes, each with the comment of its file."""
    return _options("model")


def list_networks() -> dict[str, str]:
    """What `network=` takes, each with the comment of its file."""
    return _options("network")


def list_data() -> dict[str, str]:
    """What `data=` takes, each with the comment of its file."""
    return _options("data")


def list_experiments() -> dict[str, str]:
    """What `experiment=` takes, each with the comment of its file."""
    return _options("experiment")


def _options(group: str) -> dict[str, str]:
    return {path.stem: _title(path) for path in sorted((conf_folder() / group).glob("*.yaml"))}


def _title(path: Path) -> str:
    """The comment that a file begins with."""
    comments = itertools.takewhile(lambda line: line.startswith("#"), path.read_text().splitlines())
    return " ".join(line[1:].strip() for line in comments if "@package" not in line)
