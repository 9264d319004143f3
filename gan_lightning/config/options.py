"""The options of the groups in `conf/`, read from its files without importing Hydra or torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gan_lightning.errors import UserError
from gan_lightning.terminal import printable_lines


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


BEGIN_WITH = {
    "images that look good, soon": (
        "model=gan_r1, the default; on small pictures network=dcgan, on larger ones network=resnet"
    ),
    "a strong modern baseline": "model=r3gan network=r3gan",
    "one class on demand": "model=cgan, model=acgan or model=projection",
    "tags, text-like conditions": "model=matching_aware",
    "few pictures": "augment=diffaugment regularizer=lecam",
    "pictures of your own": "data=image_folder data.root=path/to/pictures data.image_shape=[3,64,64]",
}
"""What to begin with, by the aim; README.md has the same."""


def overview(choices: Mapping[str, Any], folders: Sequence[Path] = ()) -> str:
    """Returns the text of `--help` on what can be chosen: where to begin, and a line for each option of each group.

    Args:
        choices: The chosen option of each group, which is marked.
        folders: The user's own folders of options.
    """
    lines = ["Begin with", ""]
    lines += [f"  {aim:28} {command}" for aim, command in BEGIN_WITH.items()]
    places = [conf_folder(), *folders]
    groups = {file.parent.relative_to(place).as_posix() for place in places for file in place.rglob("[!_]*.yaml")}
    for group in sorted(groups - {"."}):
        found = options(group, folders)
        width = max(map(len, found)) + 1
        lines += ["", f"{group}=", ""]
        lines += [f"  {name + '*' * (choices.get(group) == name):{width}} {text}" for name, text in found.items()]
    return printable_lines("\n".join(lines))


def options(group: str, folders: Sequence[Path] = ()) -> dict[str, str]:
    """Returns the options of a group such as "model" or "model/optimizer", sorted, each with its first comment.

    A file whose name begins with an underscore has settings that several options share; it is not an option.

    Args:
        group: The name of the group.
        folders: The user's own folders of options.

    Raises:
        UserError: There is no such group.
    """
    files = {file.stem: file for place in (conf_folder(), *folders) for file in (place / group).glob("[!_]*.yaml")}
    if not files:
        raise UserError(f"{group}: conf/ has no such group of options")
    return {name: _first_comment(files[name]) for name in sorted(files)}


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
