"""Which options the folder `conf/` offers, read from its files: neither Hydra nor torch is imported."""

from __future__ import annotations

from pathlib import Path

from gan_lightning.errors import UserError


def conf_folder() -> Path:
    """The folder of the configuration: inside the package in a wheel, beside it in a checkout.

    Raises:
        UserError: there is neither.
    """
    package = Path(__file__).resolve().parent.parent
    places = (package / "conf", package.parent / "conf")
    for place in places:
        if (place / "config.yaml").is_file():
            return place
    raise UserError(f"config.yaml is neither in {places[0]} nor in {places[1]}: install gan_lightning again")


def options(group: str) -> dict[str, str]:
    """The options of a group, such as "model" or "model/optimizer", in alphabetical order, each with its first comment.

    Files whose names begin with an underscore hold what several options share, and are no options.

    Raises:
        UserError: there is no such group.
    """
    folder = conf_folder() / group
    files = sorted(folder.glob("[!_]*.yaml"))
    if not files:
        raise UserError(f"{group}: conf/ has no such group of options")
    return {file.stem: _first_comment(file) for file in files}


def list_models() -> dict[str, str]:
    """What `model=` takes, each with the first comment of its file."""
    return options("model")


def list_networks() -> dict[str, str]:
    """What `network=` takes, each with the first comment of its file."""
    return options("network")


def list_data() -> dict[str, str]:
    """What `data=` takes, each with the first comment of its file."""
    return options("data")


def list_experiments() -> dict[str, str]:
    """What `experiment=` takes, each with the first comment of its file."""
    return options("experiment")


def _first_comment(file: Path) -> str:
    """The first line that is a comment for the reader, which `# @package` is not; "" where there is none."""
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") and not line.startswith("# @package"):
            return line.removeprefix("#").strip()
    return ""
