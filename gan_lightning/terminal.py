"""Text of others on a terminal: names, reasons and labels from files, in which escape sequences may stand."""

from __future__ import annotations

import unicodedata

_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # control, format (such as bidi overrides), surrogates, separators of lines


def printable(text: object) -> str:
    r"""Returns text as one line without characters that a terminal or a browser obeys instead of showing them.

    Such a character becomes its escape: ESC becomes `\x1b`. Otherwise a name in a file could move the cursor, change
    the title of the window, or reverse the order of what follows.
    """
    text = str(text)
    if text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode() if unicodedata.category(character) in _UNSEEN else character
        for character in text
    )


def printable_lines(text: object) -> str:
    """Does the same and keeps the line breaks of a text that may have several lines."""
    return "\n".join(map(printable, str(text).split("\n")))


def error_line(error: object) -> str:
    """Returns the message that ends a command after a user's mistake; the error may quote the content of a file."""
    return f"error: {printable_lines(error)}"
