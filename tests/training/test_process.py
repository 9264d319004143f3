"""Settings of a training process."""

import atexit
import gc
import sys

from gan_lightning.training.process import quick_imports


def test_no_garbage_is_collected_while_modules_are_imported(monkeypatch):
    at_exit = []
    monkeypatch.setattr(atexit, "register", at_exit.append)
    with quick_imports():  # torch is imported already
        assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    monkeypatch.delitem(sys.modules, "torch")
    with quick_imports():
        assert not gc.isenabled()
    try:
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
    finally:
        for function in at_exit:
            function()
    assert gc.get_freeze_count() == 0
