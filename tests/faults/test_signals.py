"""Signals, crashes, and two processes that want the same folder."""

import signal
import subprocess
import sys
import time

import pytest

from gan_lightning.files import atomic
from gan_lightning.training.run_folder import RunFolder
from tests.conftest import PROJECT, TINY, WITHOUT_MLP, training_differences

RUN = (*TINY, "trainer.max_steps=60")


def signalled(step, number, rank=0):
    return f"+callbacks.kill={{_target_: helpers.KillAt, step: {step}, number: {int(number)}, rank: {rank}}}"


def check_signal(run, number, code, train, undisturbed):
    stopped = run("stopped", *RUN, signalled(17, number))
    assert stopped.code == code, stopped.output
    assert stopped.summary["status"] == "interrupted"
    assert stopped.checkpoint["global_step"] == 18
    assert "stopped after 18 batches" in stopped.output
    assert "Traceback" not in stopped.output
    resumed = train("stopped", f"resume={stopped.folder}", "+callbacks.kill=null")
    assert training_differences(resumed, undisturbed) == []


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)]
)
def test_a_signal_saves_and_leaves_and_the_run_goes_on(train, command, trained, number, code):
    check_signal(command, number, code, train, trained(*RUN))


@pytest.mark.slow
def test_a_signal_to_a_process_of_its_own(train, train_apart, trained):
    check_signal(train_apart, signal.SIGTERM, 143, train, trained(*RUN))


def test_a_folder_in_use_is_refused(train, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(RunFolder, "PATIENCE", 0.1)
    run = trained(*RUN).copy(tmp_path / "run")
    with RunFolder(run.folder).locked():
        for overrides in (TINY, (f"resume={run.folder}",)):
            refused = train("run", *overrides)
            assert refused.code == 1
            assert "is in use by another training process" in refused.output
    assert "holds a run already" in train("run", *TINY).output


@pytest.mark.slow
def test_a_second_process_on_the_folder_is_refused(tmp_path, train, monkeypatch):
    monkeypatch.setattr(RunFolder, "PATIENCE", 1.0)
    folder = tmp_path / "run"
    command = [
        sys.executable,
        str(PROJECT / "train.py"),
        *TINY,
        "trainer.max_steps=100000",
        f"hydra.run.dir={folder}",
    ]
    first = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not (folder / "summary.json").exists():
            assert time.monotonic() < deadline
            time.sleep(0.2)
        second = train("run", *TINY)
        assert second.code == 1
        assert "is in use by another training process" in second.output
        third = train("run", f"resume={folder}")
        assert third.code == 1
        assert "is in use by another training process" in third.output
    finally:
        first.send_signal(signal.SIGTERM)
        assert first.wait(60) == 143


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_the_checkpoint(train):
    outcome = train(
        "run",
        *WITHOUT_MLP,
        "trainer.max_steps=60",
        "network.discriminator._target_=helpers.ExplodingDiscriminator",
        *("+network.discriminator.call=80", "callbacks.checkpoints.every_n_steps=5"),
    )
    assert outcome.code == 1
    assert "loss is not finite at batch" in outcome.output
    assert "Traceback" not in outcome.output
    assert outcome.summary["status"] == "failed"
    assert "not finite" in outcome.summary["reason"]
    step = outcome.checkpoint["global_step"]
    assert step > 0
    assert step % 5 == 0


@pytest.mark.slow
def test_a_failing_process_takes_the_others_with_it(train_apart):
    outcome = train_apart("run", *RUN, "trainer.devices=2", signalled(10, signal.SIGKILL, rank=1))
    assert outcome.code != 0
    left = subprocess.run(["pgrep", "-f", str(outcome.folder)], capture_output=True, text=True)
    assert left.stdout == ""


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def fail():
        with atomic(path) as partial:
            partial.write_text("half of the n")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
