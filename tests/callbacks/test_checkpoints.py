"""What is saved under which name, and what is never saved: values that are not finite."""

import pytest

from gan_lightning.models.rebuild import read
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


def test_the_names_of_one_batch_are_one_file(train):
    monitored = ("callbacks.checkpoints.monitor=loss/generator", "trainer.log_every_n_steps=1")
    run = train("run", *FOUR, "callbacks.checkpoints.keep_every_n_steps=4", *monitored)
    folder = run.folder / "checkpoints"
    last, kept, best = (folder / name for name in ("last.ckpt", "step_00000004.ckpt", "best.ckpt"))
    assert last.samefile(kept)
    assert read(best)["global_step"] == run.summary["best"]["step"]
    content = kept.read_bytes()
    train("run", f"resume={run.folder}", "trainer.max_steps=5")
    assert read(last)["global_step"] == 5
    assert kept.read_bytes() == content
