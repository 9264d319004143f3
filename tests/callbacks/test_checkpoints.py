"""What is never saved: values that are not finite."""

import pytest

from tests.conftest import TINY

FOUR = (*TINY, "trainer.max_steps=4", "callbacks.checkpoints.every_n_steps=2")


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("null", "generator.layers.0.weight is not finite after batch 4"),
        ("exp_avg_sq", "exp_avg_sq of discriminator.body.1.weight is not finite after batch 4"),
    ],
)
def test_an_infinite_value_is_not_saved(train, state, message):
    run = train("run", *FOUR, f"+callbacks.spoils={{_target_: helpers.Spoils, step: 4, state: {state}}}")
    assert run.code == 1
    assert message in run.output
    assert run.checkpoint["global_step"] == 2
    assert run.summary["status"] == "failed"
    assert not list(run.folder.glob("checkpoints/*.safetensors"))


def test_an_infinite_weight_is_not_exported_without_checkpoints(train):
    run = train("run", *FOUR, "callbacks.checkpoints=null", "+callbacks.spoils={_target_: helpers.Spoils, step: 4}")
    assert run.code == 1
    assert "is not finite after batch 4, and was not saved" in run.output
    assert run.summary["status"] == "failed"
    assert not list(run.folder.glob("checkpoints/*"))
