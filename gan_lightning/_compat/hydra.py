"""Uses of private names of Hydra."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra._internal.hydra
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult
from omegaconf import Container, DictConfig


@dataclass(frozen=True)
class Checks:
    """Functions that see what Hydra composes before Hydra acts on it; what they raise ends the composition.

    Attributes:
        read: Gets the path of a file before Hydra parses it.
        part: Gets the origin of a file, file:///path/to/it or pkg://package, its content, and the choices of its
            defaults list, such as "group=option": when it is read, and again with the content at its place.
        whole: Gets each composed configuration, with the overrides of the command line.
    """

    read: Callable[[Path], Any]
    part: Callable[[str, Container, list[str]], None]
    whole: Callable[[DictConfig], None]


@contextlib.contextmanager
def checked_composition(checks: Checks) -> Iterator[None]:
    """Lets `checks` see what every Hydra that is initialized in this context composes, also in a sweep's processes.

    Reason: Hydra reads files and then makes callbacks, log handlers and folders of them before it calls the program,
    and a composed configuration does not say which file a value comes from.
    """
    before = hydra._internal.hydra.ConfigLoaderImpl
    hydra._internal.hydra.ConfigLoaderImpl = functools.partial(_Loader, checks=checks)  # type: ignore
    try:
        yield
    finally:
        hydra._internal.hydra.ConfigLoaderImpl = before  # type: ignore[misc]


class _Loader(ConfigLoaderImpl):
    def __init__(self, config_search_path: ConfigSearchPath, checks: Checks) -> None:
        super().__init__(config_search_path)
        self.checks = checks
        self.repository = _Repository(config_search_path, checks)

    def load_configuration(self, *arguments: Any, **more: Any) -> DictConfig:
        composed = super().load_configuration(*arguments, **more)
        self.checks.whole(composed)
        return composed

    def _load_single_config(self, *arguments: Any, **more: Any) -> ConfigResult:
        loaded = super()._load_single_config(*arguments, **more)
        _check_part(self.checks, loaded)
        return loaded


class _Repository(ConfigRepository):
    def __init__(self, config_search_path: ConfigSearchPath, checks: Checks) -> None:
        super().__init__(config_search_path)
        self.checks = checks

    def load_config(self, config_path: str) -> ConfigResult | None:
        source = self._find_object_source(config_path, ObjectType.CONFIG)
        place = None
        if source is not None and source.scheme() == "file":
            # The source's folder does not tell: `..` and links lead out of it.
            place = Path(os.path.realpath(os.path.join(source.path, source._normalize_file_name(config_path))))
            self.checks.read(place)
        loaded = super().load_config(config_path)
        if loaded is not None:
            loaded.path = loaded.path if place is None else f"file://{place}"
            _check_part(self.checks, loaded)
        return loaded


def _check_part(checks: Checks, loaded: ConfigResult) -> None:
    names = ("group", "path", "value", "package")
    choices = [[vars(default).get(name) for name in names] for default in loaded.defaults_list or ()]
    checks.part(loaded.path, loaded.config, ["=".join(str(text) for text in found if text) for found in choices])
