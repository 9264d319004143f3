"""YAML files that others may have written, such as those of a run folder: plain data of a bounded size."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml

from gan_lightning.errors import UserError

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Plain data only; that of the C library is ten times as fast."""
MAX_BYTES = 1_000_000
MAX_NODES = 100_000
"""The largest number of values, each alias counted as a copy: ten lines of aliases can stand for 10^10 values."""
MAX_DEPTH = 100
T = TypeVar("T")


def read_yaml(path: Path, kind: type[T]) -> T:
    """Reads a YAML file of plain data; runs no code, and takes a bounded time and memory.

    Args:
        path: The file.
        kind: The type that its content must have, `dict` or `list`; `object` for any, also of an empty file.

    Raises:
        UserError: The file cannot be read, is no YAML, is too large, or has another type.
    """
    text = _bounded_text(path)
    try:
        content: Any = yaml.load(text, LOADER)
    except (yaml.YAMLError, ValueError) as error:  # a ValueError is of a number or date that Python does not have
        raise UserError(f"{path} is no YAML file of plain data: {_one_line(error)}") from error
    if not isinstance(content, kind):
        raise UserError(f"{path}: expected a YAML {kind.__name__}, got {type(content).__name__}")
    return content


def _bounded_text(path: Path) -> str:
    """Returns the text of a YAML file whose size, depth and number of values are within the limits.

    Raises:
        UserError: They are not, or the file cannot be read, or is no YAML.
    """
    try:
        if not path.is_file():  # a named pipe would never end
            raise UserError(f"{path} is no file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise UserError(f"{path} is larger than {MAX_BYTES:,} bytes, the limit of a YAML file here")
        text = content.decode()
        _require_bounded(text, path)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read as YAML: {_one_line(error)}") from error
    return text


def _require_bounded(text: str, path: Path) -> None:
    """Counts the values before any of them is made."""
    sizes: dict[str, int] = {}  # of the complete values that have an anchor
    parents: list[tuple[str | None, int]] = []  # the open collections: their anchors, and the values in them so far
    for event in yaml.parse(text, LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            parents.append((event.anchor, 1))
            if len(parents) > MAX_DEPTH:
                raise UserError(f"{path} is nested more than {MAX_DEPTH} deep")
            continue
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise UserError(f"{path}: the alias *{event.anchor} stands inside of its own value, or for nothing")
            anchor, size = None, sizes[event.anchor]
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size = parents.pop()
        elif isinstance(event, yaml.ScalarEvent):
            anchor, size = event.anchor, 1
        else:  # the start or end of a document
            continue
        if anchor is not None:
            sizes[anchor] = size
        if parents:
            parents[-1] = (parents[-1][0], parents[-1][1] + size)
            if parents[-1][1] > MAX_NODES:
                raise UserError(f"{path} has more than {MAX_NODES:,} values, the limit of a YAML file here")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
