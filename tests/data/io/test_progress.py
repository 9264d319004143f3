"""Progress with a terminal and without one."""

import sys

import pytest

from gan_lightning.data.io import progress as module
from gan_lightning.data.io.progress import progress


def test_lines_without_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(module, "SECONDS", 0.0)
    with progress("decoding pictures", 3000, 1000) as shown:
        shown.update(500)
        shown.update(250)
    lines = capsys.readouterr().err.replace("\r", "").splitlines()
    assert [line.split(", ")[0] for line in lines[-2:]] == [
        "decoding pictures: 1,500 of 3,000",
        "decoding pictures: 1,750 of 3,000",
    ]
    assert all(line.endswith(" left") for line in lines)


@pytest.mark.parametrize("terminal", [False, True])
def test_quick_work_shows_nothing(monkeypatch, capsys, terminal):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    with progress("decoding pictures", 3) as shown:
        shown.update(3)
    assert not capsys.readouterr().err


def test_a_bar_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress("decoding pictures", 3) as shown:
        shown.start_t -= 2
        shown.last_print_t -= 2
        shown.update(3)
    assert "\rdecoding pictures: 100%|" in capsys.readouterr().err
