"""Text of others cannot command the terminal."""

import pytest

from gan_lightning.terminal import error_line, printable, printable_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07\x1b[2J", r"\x1b]0;title\x07\x1b[2J"),
        ("\x9b31m", r"\x9b31m"),  # CSI in one byte
        ("one\rtwo\b", r"one\rtwo\x08"),
        ("abc\u202edcb", r"abc\u202edcb"),  # what follows would stand in reverse order
        ("line\u2028line", r"line\u2028line"),
        ("line\u2029line", r"line\u2029line"),
        ("\udc80.ckpt", r"\udc80.ckpt"),  # a file name that is no UTF-8, which print would refuse
        ("blond, 青い髪 é 🙂", "blond, 青い髪 é 🙂"),
        ("a\nb", r"a\nb"),
    ],
)
def test_what_a_terminal_obeys_is_shown_instead(text, shown):
    assert printable(text) == shown


def test_lines_stay_where_they_may():
    assert printable_lines("one\ntwo\x1b") == "one\ntwo\\x1b"
    assert error_line(ValueError("a\x1b[1mb")) == r"error: a\x1b[1mb"
