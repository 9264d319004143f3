"""Uses of private names of Hydra."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra._internal.defaults_list
import hydra._internal.hydra
from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra._internal.config_repository import ConfigRepository
from hydra._internal.defaults_list import OverrideMetadata, Overrides
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.core.plugins import Plugins
from hydra.errors import MissingConfigException
from hydra.plugins.config_source import ConfigResult
from hydra.plugins.sweeper import Sweeper
from omegaconf import Container, DictConfig, open_dict

REFUSED = "refused"
"""The key of a job's configuration that says why it cannot be composed."""


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


def register_sweeper(sweeper: type[Sweeper]) -> None:
    """Lets `hydra.sweeper._target_` name a sweeper of this package.

    Reason: Hydra takes plugins only from the namespace package hydra_plugins, which every program with Hydra imports.
    """
    plugins, place = Plugins.instance(), f"{sweeper.__module__}.{sweeper.__name__}"
    plugins.register(sweeper)
    known = Plugins.is_in_toplevel_plugins_module
    plugins.is_in_toplevel_plugins_module = lambda clazz: clazz == place or known(clazz)  # type: ignore


def is_of_hydra(override: str) -> bool:
    """Whether an override of the command line is for Hydra, not for the run."""
    return override.lstrip("+~").startswith(("hydra.", "hydra/"))


@contextlib.contextmanager
def _null_chooses_nothing() -> Iterator[None]:
    """Lets `group=null` choose none of the group's options.

    Reason: a defaults list may say `group: null`, but Hydra's command line ends with a stack trace, and `~group` fails
    where nothing is chosen.
    """
    before = hydra._internal.defaults_list.Overrides
    hydra._internal.defaults_list.Overrides = _Overrides  # type: ignore[misc]
    try:
        yield
    finally:
        hydra._internal.defaults_list.Overrides = before  # type: ignore[misc]


class _Overrides(Overrides):
    def __init__(self, repo: Any, overrides_list: list[Override]) -> None:
        def is_null(override: Override) -> bool:
            changes = override.type == OverrideType.CHANGE and override.value() is None
            return changes and repo.group_exists(override.key_or_group)

        super().__init__(repo, [override for override in overrides_list if not is_null(override)])
        for key in (override.get_key_element() for override in overrides_list if is_null(override)):
            self.override_choices[key] = None
            self.override_metadata[key] = OverrideMetadata(external_override=True)


class _Loader(ConfigLoaderImpl):
    def __init__(self, config_search_path: ConfigSearchPath, checks: Checks) -> None:
        super().__init__(config_search_path)
        self.checks = checks
        self.repository = _Repository(config_search_path, checks)

    def load_configuration(self, *arguments: Any, **more: Any) -> DictConfig:
        with _null_chooses_nothing():
            composed = super().load_configuration(*arguments, **more)
        self.checks.whole(composed)
        return composed

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        """Composes a job of a sweep; one that names an option that does not exist gets a configuration that says so.

        Reason: Hydra composes all jobs before the first one starts, and a wrong option of one would lose them all.
        """
        try:
            return super().load_sweep_config(master_config, sweep_overrides)
        except MissingConfigException as error:
            # What chooses Hydra's sweeper stays, since Hydra's own overrides may be for it.
            kept = [each for each in sweep_overrides if is_of_hydra(each) or each.startswith(("sweep=", "reproduce="))]
            job = super().load_sweep_config(master_config, kept)
            parsed = OverridesParser.create().parse_overrides(sweep_overrides)
            names = job.hydra.job.config.override_dirname
            with open_dict(job):
                job[REFUSED] = (
                    f"{error.missing_cfg_file}: there is no such option. Available: {', '.join(error.options or ())}"
                )
                job.hydra.overrides.task = [each for each in sweep_overrides if not is_of_hydra(each)]
                tasks = [each for each in parsed if not is_of_hydra(each.input_line or "")]
                job.hydra.job.override_dirname = get_overrides_dirname(
                    tasks, names.exclude_keys, names.item_sep, names.kv_sep
                )
                job.hydra.runtime.choices.update(
                    {
                        each.key_or_group: each.value()
                        for each in tasks
                        if self.repository.group_exists(each.key_or_group)
                    }
                )
            return job

    def _load_single_config(self, *arguments: Any, **more: Any) -> ConfigResult:
        loaded = super()._load_single_config(*arguments, **more)
        _check_part(self.checks, loaded)
        return loaded


class _Repository(ConfigRepository):
    def __init__(self, config_search_path: ConfigSearchPath, checks: Checks) -> None:
        super().__init__(config_search_path)
        self.checks = checks

    def get_group_options(self, *arguments: Any, **more: Any) -> list[str]:
        """Leaves out the files whose names begin with `_`: they have settings that several options share.

        Reason: tab completion and Hydra's messages would offer them.
        """
        found = super().get_group_options(*arguments, **more)
        return [name for name in found if not name.rpartition("/")[2].startswith("_")]

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
