"""The words of messages about many files. It imports only the standard library."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence, Sized

_SHORT = reprlib.Repr()
_SHORT.maxstring = 100


def count(things: Sized, kind: str) -> str:
    return f"{len(things):,} {kind}{'s' * (len(things) != 1)}"


def listing(title: str, problems: Sequence[str], most: int = 8) -> str:
    """A message with one problem per line; at most `most` problems."""
    more = len(problems) - most
    return "\n  ".join([f"{title}:", *problems[:most], *([f"and {more:,} more"] if more > 0 else [])])


def quoted(text: str) -> str:
    """A text from a file between quotes, on one line, without its middle if it is long."""
    return _SHORT.repr(text)


def shown(name: str) -> str:
    """The name of a file as it is, or quoted if it would move the cursor or break the line."""
    return name if name.isprintable() else repr(name)


def problem_of(error: Exception) -> str:
    """What a library says of a picture that it cannot decode, on one line."""
    return " ".join(str(error).split()) or type(error).__name__
