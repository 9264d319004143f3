"""Several batches in one iteration of Lightning's loop."""

import signal

import pytest
from lightning.pytorch.strategies import DDPStrategy
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan_lightning.cadence import StepCallback
from gan_lightning.callbacks import SampleGrid
from gan_lightning.data import Digits
from gan_lightning.training.blocks import allows_blocks, needs_lightnings_backward
from gan_lightning.training.trainer import Trainer
from tests import helpers
from tests.conftest import TINY, training_differences
from tests.models.composed import SMALL, build_model

RUN = (
    *(*TINY, "data.limit=700", "data.batch_size=20", "trainer.max_steps=80", "trainer.log_every_n_steps=50"),
    "callbacks.checkpoints.every_n_steps=60",
)
"""Epochs have 35 batches."""
LOG = "+callbacks.blocks={_target_: helpers.BlockLog, path: '${run_dir}/blocks'}"


def points(folder):
    events = EventAccumulator(str(folder)).Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
        if not tag.startswith("time/")
    }


def block_ends(folder):
    """The batches at which the blocks of a run end."""
    lines = (line.split() for line in (folder / "blocks").read_text().splitlines())
    return [int(step) for step in dict(lines).values()]


def test_a_block_ends_where_something_is_due(train):
    draw = "callbacks.samples={_target_: gan_lightning.callbacks.SampleGrid, folder: '${run_dir}', every_n_steps: 45}"
    run = train("run", *RUN, LOG, draw)
    assert run.code == 0, run.output
    assert block_ends(run.folder) == [35, 45, 50, 60, 70, 80]


@pytest.mark.slow
def test_blocks_change_nothing(train):
    blocks, batches = train("blocks", *RUN, LOG), train("batches", *RUN, LOG, "trainer.steps_per_block=1")
    assert block_ends(batches.folder) == list(range(1, 81))
    assert training_differences(blocks, batches) == []
    assert points(blocks.folder) == points(batches.folder)
    assert blocks.summary["final"].keys() == batches.summary["final"].keys()
    assert blocks.summary["images_seen"] == batches.summary["images_seen"] == 1600


@pytest.mark.slow
def test_a_signal_in_a_block_stops_after_the_next_batch(command, train, trained):
    kill = f"+callbacks.kill={{_target_: helpers.KillInBlock, step: 17, number: {int(signal.SIGTERM)}}}"
    stopped = command("stopped", *RUN, kill, LOG)
    assert (stopped.code, stopped.checkpoint["global_step"]) == (143, 18)
    assert block_ends(stopped.folder) == [18]
    resumed = train("stopped", f"resume={stopped.folder}", "+callbacks.kill=null")
    assert training_differences(resumed, trained(*RUN)) == []


@pytest.mark.slow
def test_killed_in_a_block_and_resumed(train, train_apart, trained):
    kill = f"+callbacks.kill={{_target_: helpers.KillInBlock, step: 67, number: {int(signal.SIGKILL)}}}"
    killed = train_apart("killed", *RUN, kill)
    assert (killed.code, killed.checkpoint["global_step"]) == (-signal.SIGKILL, 60)
    resumed = train("killed", f"resume={killed.folder}", "+callbacks.kill=null")
    assert training_differences(resumed, trained(*RUN)) == []


class Draws(SampleGrid):
    def on_train_batch_end(self, *args): ...


@pytest.mark.parametrize(
    ("callback", "data", "hook", "allowed"),
    [
        (StepCallback(), Digits([1, 8, 8]), "on_fit_end", True),
        (helpers.CannotStart(), Digits([1, 8, 8]), "on_fit_end", True),
        (helpers.EveryBatch(), Digits([1, 8, 8]), "on_fit_end", False),
        (Draws("unused"), Digits([1, 8, 8]), "on_fit_end", False),
        (StepCallback(), helpers.PlainData([1, 8, 8]), "on_fit_end", False),
        (StepCallback(), Digits([1, 8, 8]), "on_train_batch_start", False),
    ],
)
def test_whoever_wants_every_batch_gets_it(callback, data, hook, allowed):
    off = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = Trainer(accelerator="cpu", callbacks=[callback], **off)
    trainer.datamodule = data
    model = build_model(*SMALL)
    setattr(model, hook, lambda *_: None)
    assert allows_blocks(trainer, model) is allowed


class Backward(StepCallback):
    """Notes after each batch whether its backward passes were torch's alone."""

    def __init__(self):
        self.plain = []

    def on_step_end(self, trainer, model, batch, output):
        self.plain.append("manual_backward" in vars(model))


class WithHook(Backward):
    calls = 0

    def on_after_backward(self, trainer, pl_module):
        self.calls += 1


@pytest.mark.filterwarnings("ignore:.*dataloader_iter")
@pytest.mark.parametrize(
    ("callback", "hook", "plain"),
    [(Backward(), None, True), (WithHook(), None, False), (Backward(), "on_before_backward", False)],
)
def test_whoever_wants_the_backward_passes_gets_them(callback, hook, plain):
    off = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = Trainer(accelerator="cpu", max_steps=3, use_distributed_sampler=False, callbacks=[callback], **off)
    model, calls = build_model(*SMALL), []
    if hook:
        setattr(model, hook, lambda loss: calls.append(loss))
    trainer.fit(model, Digits([1, 8, 8], batch_size=16))
    assert callback.plain == [plain] * 3
    assert getattr(callback, "calls", 0) + len(calls) == (0 if plain else 6)
    assert "manual_backward" not in vars(model)


def test_losses_that_are_scaled_or_reduced_are_lightnings(monkeypatch):
    trainers = [Trainer(accelerator="cpu", logger=False, strategy=each) for each in ("auto", DDPStrategy())]
    assert [needs_lightnings_backward(trainer, build_model(*SMALL)) for trainer in trainers] == [False, True]
    monkeypatch.setattr(trainers[0].precision_plugin, "scaler", object(), raising=False)
    assert needs_lightnings_backward(trainers[0], build_model(*SMALL))
