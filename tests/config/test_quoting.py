"""Values for Hydra's command line, parsed back by Hydra."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from gan_lightning.config.quoting import quoted

TEXTS = (
    "logs/run-1.0",
    "a b",
    "it's",
    'a "b"',
    "a,b",
    "[a]",
    "{a: b}",
    "lr=0.1,seed=0",
    "a\\",
    "a\\\\",
    'a\\"',
    "C:\\a b\\",
    "",
)


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_comes_back(text):
    (override,) = OverridesParser.create().parse_overrides([f"key={quoted(text)}"])
    assert override.value() == text


def test_what_needs_no_quotes_has_none():
    assert quoted("logs/run-1.0") == "logs/run-1.0"
