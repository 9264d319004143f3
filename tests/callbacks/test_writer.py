"""Files that are written while training goes on: their order, their content, and errors."""

import threading
import time

import pytest
from lightning import Trainer

from gan_lightning.callbacks import Record, Writer, samples
from gan_lightning.callbacks.video import video
from gan_lightning.models.rebuild import read
from gan_lightning.training import checkpoint
from tests.conftest import TINY, differing, training_differences

KEPT = (*TINY, "trainer.max_steps=6", "callbacks.checkpoints.keep_every_n_steps=2")
PATIENCE = 20.0
"""Seconds until a test gives up."""


@pytest.fixture
def writer():
    writer = Writer()
    yield writer
    writer._end()


@pytest.fixture
def hold(writer):
    """An event that lets the thread wait until it is set."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def batches(monkeypatch):
    """Tells threads that the run has ended batch n: `batches[n].wait()`."""
    ended = [threading.Event() for _ in range(20)]
    real = Record.on_step_end

    def end(self, trainer, *more):
        real(self, trainer, *more)
        ended[trainer.global_step].set()

    monkeypatch.setattr(Record, "on_step_end", end)
    return ended


def test_files_are_written_in_order(writer, hold):
    written = []
    writer.submit(lambda: hold.wait(PATIENCE))
    for number in range(5):
        writer.submit(lambda number=number: written.append(number))
    assert written == []
    hold.set()
    writer.wait()
    assert written == [0, 1, 2, 3, 4]


def test_nothing_is_written_after_a_write_that_failed(writer, hold):
    written = []

    def fail():
        hold.wait(PATIENCE)
        raise OSError("disk full")

    writer.submit(fail)
    writer.submit(lambda: written.append(1))
    writer.on_step_end()  # the thread has not failed yet
    hold.set()
    for told in (writer.wait, writer.on_step_end, lambda: writer.submit(lambda: written.append(2))):
        with pytest.raises(OSError, match="disk full"):
            told()
    assert written == []


def test_no_more_than_a_few_files_wait(writer, hold):
    for _ in range(8):
        writer.submit(lambda: hold.wait(PATIENCE))
    assert len(writer._waiting) == 8  # and so nobody has waited
    thread = threading.Thread(target=lambda: writer.submit(lambda: None))
    thread.start()
    thread.join(0.3)
    assert thread.is_alive()
    hold.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_a_trainer_built_by_hand_gets_one():
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    assert Writer.of(trainer) is Writer.of(trainer)


def test_training_goes_on_and_each_checkpoint_is_of_its_batch(train, trained, monkeypatch, batches):
    undisturbed, real, went_on = trained(*KEPT), checkpoint.write_checkpoint, []

    def write(saved, path):
        if saved["global_step"] == 2:
            went_on.append(batches[3].wait(PATIENCE))
        real(saved, path)

    monkeypatch.setattr(checkpoint, "write_checkpoint", write)
    run = train("run", *KEPT)
    assert run.code == 0, run.output
    assert went_on == [True]
    assert training_differences(run, undisturbed) == []
    for step in (2, 4, 6):
        one, other = (read(r.folder / "checkpoints" / f"step_{step:08d}.ckpt") for r in (run, undisturbed))
        assert one["global_step"] == step
        assert [d for key in ("state_dict", "optimizer_states") for d in differing(one[key], other[key], key)] == []


def test_one_copy_of_a_checkpoint_is_in_memory(train, monkeypatch, batches):
    write, copy, happened = checkpoint.write_checkpoint, checkpoint._copied, []

    def slow_write(saved, path):
        batches[min(saved["global_step"] + 2, 6)].wait(0.2)  # enough time to reach the next checkpoint
        write(saved, path)
        happened.append("written")

    def copying(node):
        happened.append("copied")
        monkeypatch.setattr(checkpoint, "_copied", copy)  # it calls itself
        copied = copy(node)
        monkeypatch.setattr(checkpoint, "_copied", copying)
        return copied

    monkeypatch.setattr(checkpoint, "write_checkpoint", slow_write)
    monkeypatch.setattr(checkpoint, "_copied", copying)
    assert train("run", *KEPT).code == 0
    assert happened == ["copied", "written"] * 3


def test_the_video_has_the_last_picture(train, monkeypatch):
    write, shown = samples._write, []

    def slow_write(*arguments):
        time.sleep(0.1)
        write(*arguments)

    monkeypatch.setattr(samples, "_write", slow_write)
    monkeypatch.setattr(video, "write", lambda pictures, *_: shown.extend(picture.name for picture in pictures))
    pictured = [option for option in TINY if "samples" not in option]
    run = train("run", *pictured, "callbacks.samples.num=4", "trainer.max_steps=2")
    assert run.code == 0, run.output
    assert shown == ["step_00000000.png", "step_00000002.png"]


def test_a_write_that_fails_ends_the_run(train, monkeypatch, batches):
    real = checkpoint.write_checkpoint

    def write(saved, path):
        if saved["global_step"] == 4:
            batches[5].wait(PATIENCE)
            raise OSError(28, "No space left on device", str(path))
        real(saved, path)

    monkeypatch.setattr(checkpoint, "write_checkpoint", write)
    run = train("run", *KEPT)
    assert run.code == 1
    assert "step_00000004.ckpt: No space left on device" in run.output
    assert run.summary["status"] == "failed"
    assert run.checkpoint["global_step"] == 2
