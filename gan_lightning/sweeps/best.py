"""The best setting of a sweep, and the commands that train it again, or longer."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from gan_lightning.config.options import conf_folder
from gan_lightning.sweeps.collect import Run, ranked
from gan_lightning.sweeps.table import Group
from gan_lightning.training.continuation import continuation
from gan_lightning.training.run_folder import ORIGIN
from gan_lightning.yaml_file import read_yaml


@dataclass(frozen=True)
class Best:
    """The best setting.

    Attributes:
        result: Its values and its result, as text.
        commands: What to type, each command by its purpose.
    """

    result: str
    commands: dict[str, str]


def best_of(groups: Sequence[Group], objective: str | None) -> Best | None:
    """The first of `groups`, with commands for its best run; None if there is no objective or no result.

    The commands are to be typed where the sweep's was.
    """
    if objective is None or not groups[0].results[objective]:
        return None
    group, run = groups[0], ranked(groups[0].runs, objective)[0]
    longer = continuation(run.folder.path, run.config, run.summary)
    commands = {"train its best run again": _again(run), "train that run longer": longer}
    return Best(
        result=f"{', '.join([*group.named_labels(), objective])} {group.texts()[0]}",
        commands={purpose: shlex.join([*_program(), *typed]) for purpose, typed in commands.items()},
    )


def _program() -> list[str]:
    """What starts a run: the script of a checkout, or the command of an installed package."""
    return ["python", "train.py"] if (conf_folder().parent / "train.py").is_file() else ["gan-train"]


def _again(run: Run) -> list[str]:
    """The command line of a job alone, without those of Hydra's own settings that say how it is launched."""
    starts_sweep = any(run.choices.get(group) for group in ("sweep", "reproduce"))
    return [*_config_dir(run), *run.typed, *(["hydra.mode=RUN"] if starts_sweep else [])]


def _config_dir(run: Run) -> list[str]:
    """The option that names the user's own folder of options, if the sweep had one."""
    file = run.folder.path / ORIGIN / "hydra.yaml"
    sources = read_yaml(file, dict)["hydra"]["runtime"].get("config_sources") if file.exists() else None
    known = [each for each in sources if isinstance(each, dict)] if isinstance(sources, list) else []
    own = [str(each.get("path")) for each in known if each.get("provider") == "command-line"]
    return [word for path in own for word in ("--config-dir", path)]
