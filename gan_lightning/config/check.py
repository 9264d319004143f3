"""Checks a composed configuration and reports every problem at once, before any data is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_lightning.config.instantiate import Config, require_none
from gan_lightning.config.resolvers import count_labels
from gan_lightning.config.rules import plain_problems
from gan_lightning.errors import UserError


def check(config: DictConfig) -> Config:
    """Returns the resolved configuration as plain containers.

    Raises:
        UserError: The configuration has problems; the message lists all of them, with the keys to change.
    """
    count_labels.cache_clear()  # another run of this process may have seen other data
    try:
        plain: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise UserError(f"{error.full_key or 'the configuration'}: {str(error).splitlines()[0]}") from error
    plain = {"callbacks": {}, "logger": {}} | plain  # callbacks=null, logger=null
    require_none(plain_problems(plain, set(_repeated_keys(config))))
    return plain


def _repeated_keys(node: DictConfig | ListConfig, path: str = "") -> Iterator[str]:
    """Yields each key whose value is an interpolation of a section, or made of a value with the same name."""
    raw: Any = OmegaConf.to_container(node, resolve=False)
    names: Iterable[Any] = node if isinstance(node, DictConfig) else range(len(node))
    for name in names:
        key = f"{path}.{name}" if path else str(name)
        value = node[name]
        if OmegaConf.is_interpolation(node, name):
            if isinstance(value, DictConfig) or raw[name].rstrip("}").endswith((f".{name}", f"{{{name}")):
                yield key
        elif isinstance(value, DictConfig | ListConfig):
            yield from _repeated_keys(value, key)
