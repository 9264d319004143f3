"""What a run logs: every point once, before the checkpoint that it belongs to, in every session."""

import signal
import time

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer.record_writer import RecordWriter

from gan_lightning.training import checkpoint
from gan_lightning.training.run_folder import RunFolder
from tests.conftest import TINY

LOGGED = (
    *(option for option in TINY if "samples" not in option),
    *("callbacks.video=null", "callbacks.samples.every_n_steps=5", "callbacks.samples.num=4"),
    *("trainer.log_every_n_steps=2", "metrics=random", "callbacks.evaluation.num=16"),
    "callbacks.evaluation.every_n_steps=4",
)
SAVING = (*LOGGED, "trainer.max_steps=12", "callbacks.checkpoints.every_n_steps=4")
MEASURED = ("time/",)
"""Beginnings of the tags whose values are of the clock, or of the epoch that ended."""


def points(folder) -> dict[str, list[int]]:
    """The batches at which each tag has a point, in the order of TensorBoard."""
    events = EventAccumulator(str(folder), {"scalars": 0, "images": 0, "tensors": 0}).Reload()
    readers = {"scalars": events.Scalars, "images": events.Images, "tensors": events.Tensors}
    tags = {tag: read for kind, read in readers.items() for tag in events.Tags()[kind]}
    return {tag: [event.step for event in read(tag)] for tag, read in tags.items() if not tag.startswith(MEASURED)}


def scalars(folder) -> dict[str, list[tuple[int, float]]]:
    events = EventAccumulator(str(folder), {"scalars": 0}).Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
        if not tag.startswith(MEASURED)
    }


def kill(step: int, number: int | None = None) -> str:
    value = "null" if number is None else int(number)
    return f"+callbacks.kill={{_target_: helpers.KillAt, step: {step}, number: {value}, once: '${{run_dir}}/killed'}}"


def test_each_point_is_logged_once(trained):
    run = trained(*SAVING)
    found = points(run.folder)
    assert found["loss/generator"] == list(range(2, 13, 2))
    assert found["metric/fid"] == [4, 8, 12]
    assert found["samples"] == [0, 5, 10, 12]
    assert found["config/text_summary"] == [1]
    events = EventAccumulator(str(run.folder)).Reload()
    assert "_hparams_/session_start_info" in events.summary_metadata
    experiment = events.summary_metadata["_hparams_/experiment"].plugin_data.content
    assert b"metric/fid" in experiment


def test_the_last_batch_is_logged_whatever_the_interval(train):
    run = train("run", *LOGGED, "trainer.max_steps=5")
    assert points(run.folder)["loss/generator"] == [2, 4, 5]
    assert scalars(run.folder)["loss/generator"][-1][1] == pytest.approx(run.summary["final"]["loss/generator"])


@pytest.mark.slow
def test_a_checkpoint_finds_its_points_on_the_disk(train, monkeypatch):
    """So that a run that is killed right after it lacks none, however late TensorBoard's thread writes."""
    found, save = {}, checkpoint.write_checkpoint
    waiting, write, flush = [], RecordWriter.write, RecordWriter.flush

    def flush_all(self):
        while waiting:
            write(self, waiting.pop(0))
        flush(self)

    monkeypatch.setattr(RecordWriter, "write", lambda _, data: waiting.append(data))
    monkeypatch.setattr(RecordWriter, "flush", flush_all)

    def save_after_a_look(saved, path):
        found[saved["global_step"]] = points(path.parent.parent)
        save(saved, path)

    monkeypatch.setattr(checkpoint, "write_checkpoint", save_after_a_look)
    alone = (
        "callbacks.evaluation=null",
        "callbacks.checkpoints.monitor=null",
    )  # whose log would flush the last picture
    assert train("run", *SAVING, *alone).code == 0
    assert list(found) == [4, 8, 12]
    for step, picture in {4: 0, 8: 5, 12: 12}.items():  # training has gone on, and may have logged more
        assert step in found[step]["loss/generator"]
        assert picture in found[step]["samples"]


@pytest.mark.slow
def test_a_run_cut_off_before_its_first_checkpoint_begins_anew(train, trained):
    cut = train("run", *SAVING, kill(3))
    assert "cut off" in cut.output
    assert points(cut.folder)["loss/generator"] == [2]
    stale = cut.folder / "samples" / "step_00000002.png"  # as of another interval
    (cut.folder / "samples" / "step_00000000.png").rename(stale)
    again = train("run", *SAVING, kill(3))
    assert again.code == 0, again.output
    assert scalars(again.folder) == scalars(trained(*SAVING).folder)
    assert points(again.folder) == points(trained(*SAVING).folder)
    assert len(list((again.folder).glob("events.*"))) == 1
    assert not stale.exists()


@pytest.mark.parametrize(("status", "stay"), [("running", False), ("failed", False), ("finished", True), (None, True)])
def test_logs_of_a_run_that_has_ended_stay(tmp_path, status, stay):
    """Its checkpoints were removed to save space, and the folder is used again; or it never held a run."""
    folder = RunFolder(tmp_path)
    events = tmp_path / "events.out.tfevents.1"
    events.touch()
    if status is not None:
        folder.config.touch()
        folder.write_summary({"status": status, "step": 3, "final": {}})
    folder.remove_leftovers()
    assert events.exists() == stay


def test_a_resumed_run_keeps_its_metrics_until_the_next_evaluation(train):
    keeping = (*LOGGED, "callbacks.checkpoints.keep_every_n_steps=2", "trainer.max_steps=8")
    run = train("run", *keeping)
    metrics = run.checkpoint["metrics"]
    train("run", f"resume={run.folder}", "trainer.max_steps=12")
    kept = torch.load(run.folder / "checkpoints" / "step_00000010.ckpt", weights_only=True)["metrics"]
    assert {name: kept[name] for name in metrics if name.startswith("metric/")} == {
        name: value for name, value in metrics.items() if name.startswith("metric/")
    }


def test_early_stopping_on_a_loss_in_epochs_shorter_than_the_logging_interval(train):
    """D stays as it is, so that the loss of G falls, which is no better where mode is max."""
    early = "{_target_: lightning.pytorch.callbacks.EarlyStopping, monitor: loss/generator, mode: max, patience: 1}"
    short = (*TINY, "data.limit=64", "trainer.log_every_n_steps=1000", "trainer.max_epochs=9")
    run = train("run", *short, "model.discriminator_optimizer.lr=1e-12", f"+callbacks.early={early}")
    assert run.code == 0, run.output
    assert run.summary["status"] == "finished"
    assert run.summary["step"] == 4  # two batches an epoch; the second epoch was no better


@pytest.mark.slow
@pytest.mark.parametrize("step", [3, 8, 10])
def test_a_killed_run_has_the_points_of_an_undisturbed_one(train, train_apart, trained, step):
    """Before the first checkpoint it begins anew; after one it goes on."""
    killed = train_apart("run", *SAVING, kill(step, signal.SIGKILL))
    assert killed.code == -signal.SIGKILL
    time.sleep(1)  # TensorBoard sorts sessions by the second in which they began, and then by their process numbers
    again = train("run", *(SAVING if step < 4 else [f"resume={killed.folder}"]))
    assert again.code == 0, again.output
    whole, found = points(trained(*SAVING).folder), points(again.folder)
    for name in ("config/text_summary", "custom_scalars__config__"):  # one for each session
        whole.pop(name), found.pop(name)
    assert found == whole
    assert scalars(again.folder) == scalars(trained(*SAVING).folder)
