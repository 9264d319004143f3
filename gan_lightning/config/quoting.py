"""Values as Hydra's command line takes them. Without Hydra, since training and its advice use no Hydra."""

from __future__ import annotations

import re

PLAIN = re.compile(r"[\w./-]+", re.ASCII)
"""What Hydra takes for one value without quotes; the folder of a sweep's job is named lr=0.0001,seed=0."""


def quoted(value: object) -> str:
    """Returns a text, such as a path, as one value of an override: in double quotes unless it needs none."""
    text = str(value)
    if PLAIN.fullmatch(text):
        return text
    # A backslash is one unless it stands before a quote, the closing one included.
    return '"' + re.sub(r'(\\*)("|\Z)', lambda found: 2 * found[1] + found[2].replace('"', r"\""), text) + '"'
