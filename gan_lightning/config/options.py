"""The options of the groups in `conf/`, read from its files without importing Hydra or torch."""

from __future__ import annotations

from pathlib import Path

from gan_lightning.errors import UserError


def conf_folder() -> Path:
    """Returns the folder `conf/`: inside the package in a wheel, beside the package in a checkout.

    Raises:
        UserError: There is no such folder.
    """
    package = Path(__file__).resolve().parent.parent
    places = (package / "conf", package.parent / "conf")
    for place in places:
        if (place / "config.yaml").is_file():
            return place
    raise UserError(f"config.yaml is neither in {places[0]} nor in {places[1]}: install gan_lightning again")


def options(group: str) -> dict[str, str]:
    """Returns the options of a group such as "model" or "model/optimizer", sorted, each with its first comment.

    A file whose name begins with an underscore has settings that several options share; it is not an option.

    Raises:
        UserError: There is no such group.
    """
    folder = conf_folder() / group
    files = sorted(folder.glob("[!_]*.yaml"))
    if not files:
        raise UserError(f"{group}: conf/ has no such group of options")
    return {file.stem: _first_comment(file) for file in files}


def list_models() -> dict[str, str]:
    """Returns the options of `model=`, each with the first comment of its file."""
    return options("model")


def list_networks() -> dict[str, str]:
    """Returns the options of `network=`, each with the first comment of its file."""
    return options("network")


def list_data() -> dict[str, str]:
    """Returns the options of `data=`, each with the first comment of its file."""
    return options("data")


def list_experiments() -> dict[str, str]:
    """Returns the options of `experiment=`, each with the first comment of its file."""
    return options("experiment")


def _first_comment(file: Path) -> str:
    """Returns the first comment of a file, except Hydra's `# @package`; "" if there is none."""
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") and not line.startswith("# @package"):
            return line.removeprefix("#").strip()
    return ""
