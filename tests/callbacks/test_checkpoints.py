"""What is saved under which name, when, and what never is: values that are not finite."""

from types import SimpleNamespace

import pytest

from gan_lightning.callbacks import Checkpoints, Record, checkpoints
from gan_lightning.models.rebuild import read
from tests.conftest import TINY

FOUR = (*TINY, "trainer.max_steps=4", "callbacks.checkpoints.every_n_steps=2")


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("null", "generator.layers.0.weight is not finite after batch 4"),
        pytest.param(
            *("exp_avg_sq", "exp_avg_sq of discriminator.body.1.weight is not finite after batch 4"),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_an_infinite_value_is_not_saved(train, state, message):
    run = train("run", *FOUR, f"+callbacks.spoils={{_target_: helpers.Spoils, step: 4, state: {state}}}")
    assert run.code == 1
    assert message in run.output
    assert run.checkpoint["global_step"] == 2
    assert run.summary["status"] == "failed"
    assert not list(run.folder.glob("checkpoints/*.safetensors"))


@pytest.mark.slow
def test_an_infinite_weight_is_not_exported_without_checkpoints(train):
    run = train("run", *FOUR, "callbacks.checkpoints=null", "+callbacks.spoils={_target_: helpers.Spoils, step: 4}")
    assert run.code == 1
    assert "is not finite after batch 4, and was not saved" in run.output
    assert run.summary["status"] == "failed"
    assert not list(run.folder.glob("checkpoints/*"))


@pytest.mark.slow
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


def test_saves_by_the_clock(train, monkeypatch):
    """A batch takes a second here, and every third batch is logged."""
    now, saved = [100], []
    end, save = Record.on_step_end, Checkpoints._save

    def end_batch(self, *arguments):
        end(self, *arguments)
        now[0] += 1

    def saving(self, trainer, *names):
        saved.append(trainer.global_step)
        save(self, trainer, *names)

    monkeypatch.setattr(checkpoints, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(Record, "on_step_end", end_batch)
    monkeypatch.setattr(Checkpoints, "_save", saving)
    by_time = ("callbacks.checkpoints.every_n_seconds=6", "trainer.log_every_n_steps=3", "trainer.max_steps=16")
    assert train("run", *TINY, *by_time, "callbacks.checkpoints.keep_every_n_steps=8").code == 0
    assert saved == [6, 8, 15, 16]
