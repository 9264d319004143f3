"""Help where Hydra refuses a key of the command line."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException


@contextlib.contextmanager
def suggestions(overrides: Sequence[str]) -> Iterator[None]:
    """Where Hydra refuses a key of the command line, adds the nearest one that exists; shortens other refusals."""
    from hydra.core.hydra_config import HydraConfig

    try:
        yield
    except OmegaConfBaseException as error:  # while the folder of the run is worked out
        sys.exit(f"error: {error.__cause__ or str(error).splitlines()[0]}")
    except SystemExit as leaving:
        if leaving.code == 1 and not HydraConfig.initialized():
            for line in _suggest(overrides):
                print(line, file=sys.stderr)
        raise


def _suggest(overrides: Sequence[str]) -> Iterator[str]:
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    from gan_lightning.config.targets import suggestion

    conf = Path(sys.argv[0]).resolve().parent / "conf"
    assignments = [override for override in overrides if "=" in override and override[0] not in "-+~"]
    keys = [assignment.partition("=")[0] for assignment in assignments]
    groups = [a for a, key in zip(assignments, keys, strict=True) if (conf / key).is_dir() and "," not in a]
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf), version_base="1.3"):
            known = list(leaves(compose("config", groups)))
    except Exception:  # the groups themselves are wrong: Hydra has already said so
        return
    for key in keys:
        if key not in known and not (conf / key).is_dir() and not key.startswith("hydra"):
            yield f"{key}: no such key{suggestion(key, known)}"


def leaves(node: DictConfig, path: str = "") -> Iterator[str]:
    """Every key of a configuration, sections included."""
    names: Iterable[Any] = node
    for name in names:
        key = f"{path}.{name}" if path else str(name)
        yield key
        read = not (OmegaConf.is_interpolation(node, name) or OmegaConf.is_missing(node, name))
        if read and isinstance(node[name], DictConfig):
            yield from leaves(node[name], key)
