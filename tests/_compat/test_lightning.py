"""What Lightning does where `_compat.lightning` stands in for it; a new version that does otherwise fails here."""

import warnings

import pytest
import torch
import torch.distributed as dist
from lightning import Callback, LightningModule, Trainer
from torch.utils.data import DataLoader

from gan_lightning._compat.lightning import end_without_batches, skip_sigterm_broadcast


class Module(LightningModule):
    skip = False
    automatic_optimization = False

    def setup(self, stage):
        if self.skip:
            skip_sigterm_broadcast(self.trainer)

    def training_step(self, batch, batch_idx):
        return None

    def configure_optimizers(self):
        return None


class OfTwo(Trainer):
    """A Trainer that takes itself for one of two processes."""

    world_size = 2


@pytest.fixture
def broadcasts(monkeypatch, tmp_path):
    """How often torch was asked to broadcast, by a group of one process."""
    calls = []
    monkeypatch.setattr(dist, "broadcast", lambda tensor, src: calls.append(src))
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1)
    yield calls
    dist.destroy_process_group()


@pytest.mark.parametrize(("skip", "expected"), [(False, 3), (True, 0)])
def test_the_flag_before_every_batch(broadcasts, skip, expected):
    module = Module()
    module.skip = skip
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = OfTwo(accelerator="cpu", max_steps=-1, max_epochs=1, enable_model_summary=False, **quiet)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit(module, DataLoader(torch.zeros(3, 1)))
    assert len(broadcasts) == expected


@pytest.mark.parametrize(("changed", "expected"), [(False, []), (True, ["on_train_start", "on_train_end"])])
def test_a_run_without_batches_begins_and_ends(changed, expected):
    called = []

    class Hooks(Callback):
        def on_train_start(self, *_):
            called.append("on_train_start")

        def on_train_end(self, *_):
            called.append("on_train_end")

    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = Trainer(accelerator="cpu", max_steps=0, callbacks=[Hooks()], enable_model_summary=False, **quiet)
    if changed:
        end_without_batches(trainer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit(Module(), DataLoader(torch.zeros(3, 1)))
    assert called == expected
