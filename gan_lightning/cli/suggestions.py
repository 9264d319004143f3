"""Suggestions for keys of the command line that Hydra rejects."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.errors import CompactHydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_lightning.config import renamed
from gan_lightning.config.options import conf_folder
from gan_lightning.config.quoting import quoted
from gan_lightning.errors import UserError, file_error, system_error
from gan_lightning.terminal import error_line


@contextlib.contextmanager
def suggestions(arguments: Sequence[str]) -> Iterator[None]:
    """Adds the nearest existing key where Hydra rejects a key; shortens other errors to one line."""
    from hydra.core.hydra_config import HydraConfig

    try:
        with _raised_by_hydra():
            yield
    except UserError as error:
        sys.exit(error_line(error))
    except CompactHydraException as error:
        print(error, file=sys.stderr)
        if isinstance(error.__cause__, OmegaConfBaseException):
            print(error.__cause__, file=sys.stderr)
        if not HydraConfig.initialized():
            parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
            parser.add_argument("--config-dir", "-cd")
            known, rest = parser.parse_known_args(arguments)
            for line in hints([argument for argument in rest if "=" in argument], known.config_dir):
                print(line, file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:  # `--help | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes it once more at its end
        sys.exit(1)
    except OmegaConfBaseException as error:  # raised while Hydra resolves hydra.run.dir
        sys.exit(error_line(error.__cause__ or str(error).splitlines()[0]))
    except Exception as error:
        fault = system_error(error)  # raised while Hydra makes the run folder and the log in it
        if fault is None:
            raise
        sys.exit(error_line(file_error(fault, "the run folder")))


@contextlib.contextmanager
def _raised_by_hydra() -> Iterator[None]:
    """Lets Hydra raise its errors, which it would print with a stack trace."""
    before = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    finally:
        del os.environ["HYDRA_FULL_ERROR"]
        if before is not None:
            os.environ["HYDRA_FULL_ERROR"] = before


def hints(overrides: Sequence[str], config_dir: str | Path | None = None) -> list[str]:
    """Returns a line for each override whose key does not exist: its new name, or the nearest existing key.

    Args:
        overrides: The overrides as typed, `key=value`.
        config_dir: The user's own configuration folder, which Hydra searches beside the package's.
    """
    from gan_lightning.config.allowlist import suggestion

    typed = [override for override in overrides if override[0] not in "-+~"]
    folders = [conf_folder(), *([Path(config_dir)] if config_dir else [])]
    groups = [o for o in typed if _is_group(o.partition("=")[0], folders) and "," not in o]
    network = next((o.partition("=")[2] for o in groups if o.startswith("network=")), "")
    known = _known_keys(groups, config_dir)
    lines = []
    for override in overrides:
        key = override.partition("=")[0].lstrip("+~")
        new = list(renamed.hints([override], network)) if key not in known else []
        lines += new
        missing = override in typed and known and key not in known and not _is_group(key, folders)
        if missing and not new and not key.startswith("hydra"):
            lines.append(f"{key}: no such key{suggestion(key, list(known))}")
    return lines


def _is_group(key: str, folders: Iterable[Path]) -> bool:
    return any((folder / key.partition("@")[0]).is_dir() for folder in folders)


def _known_keys(groups: Sequence[str], config_dir: str | Path | None) -> set[str]:
    """Returns the keys of the configuration with these groups; no keys if the groups themselves are wrong."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    GlobalHydra.instance().clear()  # from the failed composition
    try:
        with initialize_config_dir(str(conf_folder()), version_base="1.3"):
            return set(leaves(compose("config", [*search_path(config_dir), *groups])))
    except Exception:  # Hydra has already reported it
        return set()


def search_path(config_dir: str | Path | None) -> list[str]:
    """Returns the override that adds the user's configuration folder to Hydra's search path."""
    if config_dir is None:
        return []
    return [f"hydra.searchpath=[{quoted(f'file://{Path(config_dir).absolute()}')}]"]


def leaves(node: DictConfig, path: str = "") -> Iterator[str]:
    """Yields every key of a configuration, with those of sections."""
    names: Iterable[Any] = node
    for name in names:
        key = f"{path}.{name}" if path else str(name)
        yield key
        if not OmegaConf.is_interpolation(node, name) and OmegaConf.is_dict(child := _child(node, name)):
            yield from leaves(child, key)


def _child(node: DictConfig, name: Any) -> Any:
    return None if OmegaConf.is_missing(node, name) else node[name]
