"""The YAML files that come with the package, and what there is to choose among them."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent


def conf_folder() -> Path:
    """The folder of config.yaml and its groups: inside an installed package, beside it in a checkout."""
    installed = PACKAGE / "conf"
    return installed if installed.is_dir() else PACKAGE.parent / "conf"


def options(group: str) -> dict[str, str]:
    """The choices of a group, as `group=name` takes them, each with the first sentence of its file.

    Args:
        group: a folder of `conf`, such as model, network, data or experiment.
    """
    return {path.stem: _title(path) for path in sorted((conf_folder() / group).glob("*.yaml"))}


def _title(path: Path) -> str:
    comments = (line[1:].strip() for line in path.read_text().splitlines() if line.startswith("#"))
    return next((comment for comment in comments if not comment.startswith("@package")), "")
