"""`trainer.fast`: what it changes on a GPU, and nothing on a CPU."""

import lightning
import pytest
import torch

from gan_lightning.training.trainer import Trainer, fast_math
from tests.conftest import TINY, training_differences


def settings():
    return torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32


def test_the_settings_of_the_process_are_put_back():
    before = settings()
    with fast_math():
        assert settings() == ("high", True, True)
    assert settings() == before != ("high", True, True)
    with pytest.raises(FloatingPointError), fast_math():
        raise FloatingPointError
    assert settings() == before


@pytest.mark.parametrize(
    ("fast", "given", "bfloat16", "expected"),
    [
        (True, "32-true", True, "bf16-mixed"),
        (True, "64-true", True, "64-true"),
        (True, "32-true", False, "32-true"),
        (False, "32-true", True, "32-true"),
    ],
)
def test_the_precision_on_a_gpu(monkeypatch, fast, given, bfloat16, expected):
    seen = {}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: bfloat16)
    monkeypatch.setattr(lightning.Trainer, "__init__", lambda self, **arguments: seen.update(arguments))
    Trainer(fast=fast, precision=given, accelerator="auto", steps_per_block=1)
    assert seen["precision"] == expected
    Trainer(fast=fast, precision=given, accelerator="cpu", steps_per_block=1)
    assert seen["precision"] == given


@pytest.mark.slow
def test_on_a_cpu_nothing_changes(train, trained):
    plain, fast = (
        trained(*TINY, "trainer.max_steps=2"),
        train("fast", *TINY, "trainer.max_steps=2", "trainer.fast=true"),
    )
    assert fast.code == 0, fast.output
    assert training_differences(fast, plain) == []
