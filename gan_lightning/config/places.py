"""The places that a configuration names for callbacks, loggers and the Trainer to write to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from gan_lightning.config.guard import is_trusted
from gan_lightning.config.instantiate import Config, require_none
from gan_lightning.errors import UserError

_SECTIONS = ("callbacks", "logger", "trainer")
"""The sections whose classes write files."""
_PLACES = {"dir", "dirs", "dirpath", "directory", "root", "folder", "path", "paths", "file"}
"""The words in the name of an argument that is a path; a relative one is relative to the current folder."""
_BELOW_ANOTHER = ("sub_dir",)
"""The exceptions, which are relative to another argument."""
_DATABASE = "sqlite:///"
_LINK_OF_WANDB = "wandb/*/logs/debug-core.log"
"""A link of each session that W&B makes and does not write to: it leads to the log of its own process."""
_READ = ("weights",)
"""The names of arguments that are paths of files to read."""


def require_places_inside(config: Config, hydra: Any, resumed: bool) -> None:
    """Raises a UserError if a configuration names places outside of the run folder, unless all of it is the user's own.

    Args:
        config: A resolved configuration.
        hydra: Hydra's section, with the overrides of the command line, which may name any place.
        resumed: Whether it is that of a run folder, which may come from elsewhere; else it is composed of the files of
            Hydra's search path.
    """
    if not resumed and all(is_trusted(f"{source.schema}://{source.path}") for source in hydra.runtime.config_sources):
        return
    swept = {key.lstrip("+~") for key in OmegaConf.select(hydra, "sweeper.params") or {}}  # by a file, maybe
    lines: Any = OmegaConf.to_container(hydra.overrides.task, resolve=False)
    overrides = [o for o in OverridesParser.create().parse_overrides(lines) if o.key_or_group not in swept]
    typed = {key for override in overrides for key, _ in texts(override.value(), override.key_or_group)}
    inside = os.path.realpath(config["run_dir"])
    require_none(
        f"{key}={text!r}: expected a place in the run folder, {inside}; any other has to be typed, {key}=..."
        for section in _SECTIONS
        for key, text in texts(config.get(section), section)
        if key not in typed and not _is_inside(text, key.rpartition(".")[2], inside)
    )


def texts(node: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yields every string with its key; the strings of a list have the key of the list."""
    if isinstance(node, dict):
        for name, child in node.items():
            yield from texts(child, f"{key}.{name}".lstrip("."))
    elif isinstance(node, list):
        for child in node:
            yield from texts(child, key)
    elif isinstance(node, str):
        yield key, str(node)


def _is_inside(text: str, name: str, folder: str) -> bool:
    if name in _READ:
        return True
    if text.startswith(_DATABASE) and "?" not in text:  # a file, by its absolute path
        return Path(os.path.realpath(text.removeprefix(_DATABASE))).is_relative_to(folder)
    if "$" in text or "://" in text or text.startswith(("~", "file:")):  # which loggers expand, or send to a server
        return False
    steps_out = os.path.isabs(text) or ".." in Path(text).parts
    is_place = name not in _BELOW_ANOTHER and bool(_PLACES & set(re.split("_", name.lower())))
    return not (steps_out or (is_place and text)) or Path(os.path.realpath(text)).is_relative_to(folder)


def require_links_inside(folder: Path) -> None:
    """Raises a UserError if a link in the run folder `folder` leads out of it: a resumed run writes there."""
    inside = os.path.realpath(folder)
    for place, folders, files in os.walk(folder):
        for path in (Path(place, name) for name in (*folders, *files)):
            if path.match(_LINK_OF_WANDB):
                continue
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(inside):
                raise UserError(
                    f"{path} is a link to {os.path.realpath(path)}, outside of the run folder, and a resumed run may "
                    "write there. Put a copy in its place"
                )
