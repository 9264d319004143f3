"""A run that is cut off and resumed against the same run undisturbed: every tensor, every loss, to the bit."""

import json
import signal

import pytest

from tests.conftest import TINY, WITHOUT_MLP, training_differences

EPOCH = 56  # batches of 32 in the 1,797 digits
DROPOUT = "network.discriminator._target_=helpers.DropoutDiscriminator"
BASE = (*WITHOUT_MLP, DROPOUT, "trainer.max_steps=125")
LOG = "+callbacks.log={_target_: helpers.LossLog, path: '${run_dir}/losses'}"


def losses(folder, rank=0) -> dict[int, dict]:
    """The last account of every batch; batches after the checkpoint were trained twice."""
    lines = map(json.loads, (folder / f"losses.{rank}").read_text().splitlines())
    return {line.pop("step"): line for line in lines}


@pytest.fixture
def undisturbed(train):
    return train("undisturbed", *BASE, LOG)


def cut_off(train_apart, name, saved, killed, *more):
    """Saves after `saved` batches, dies after `killed`, and goes on."""
    kill = f"+callbacks.kill={{_target_: helpers.KillAt, step: {killed}}}"
    cadence = f"callbacks.checkpoints.every_n_steps={saved}"
    died = train_apart(name, *BASE, LOG, cadence, kill, *more)
    assert died.code == -signal.SIGKILL
    assert died.checkpoint["global_step"] == saved
    return died


@pytest.mark.parametrize(
    ("saved", "killed", "at_epoch_end"),
    [(20, 25, False), (EPOCH, EPOCH, True), (EPOCH, EPOCH, False), (EPOCH, EPOCH + 3, False)],
    ids=["mid-epoch", "on the last batch", "at the epoch's end", "in the next epoch"],
)
def test_killed_and_resumed(train, train_apart, undisturbed, saved, killed, at_epoch_end):
    died = cut_off(train_apart, "died", saved, killed, f"++callbacks.kill.at_epoch_end={at_epoch_end}")
    resumed = train("died", f"resume={died.folder}", "+callbacks.kill=null")
    assert resumed.code == 0, resumed.output
    assert training_differences(resumed, undisturbed) == []
    assert losses(resumed.folder) == losses(undisturbed.folder)


def test_killed_and_resumed_with_workers(train_apart, undisturbed):
    died = cut_off(train_apart, "died", 40, 45, "data.num_workers=2")
    resumed = train_apart("died", f"resume={died.folder}", "+callbacks.kill=null")
    assert resumed.code == 0, resumed.output
    assert training_differences(resumed, undisturbed) == []
    assert losses(resumed.folder) == losses(undisturbed.folder)


@pytest.mark.parametrize("saved", [40, EPOCH])
def test_killed_and_resumed_with_two_processes(train_apart, saved):
    two = "trainer.devices=2"
    undisturbed = train_apart("undisturbed", *BASE, LOG, two)
    died = cut_off(train_apart, "died", saved, saved + 2, two)
    resumed = train_apart("died", f"resume={died.folder}", "+callbacks.kill=null")
    assert resumed.code == 0, resumed.output
    assert training_differences(resumed, undisturbed) == []
    assert losses(resumed.folder, rank=1) == losses(undisturbed.folder, rank=1)


def test_resumed_again_and_again(train, undisturbed):
    first = train("pieces", *BASE, "trainer.max_steps=30")
    for limit in (
        "trainer.max_steps=56",
        "trainer.max_epochs=2",
        "trainer.max_steps=113",
        "trainer.max_steps=125",
    ):
        resumed = train("pieces", f"resume={first.folder}", limit)
        assert resumed.code == 0, resumed.output
    assert training_differences(resumed, undisturbed) == []


def test_the_comparison_can_fail(train, undisturbed):
    """Two faults that a resume might have: one batch lost, and another random stream."""
    assert training_differences(train("short", *BASE, "trainer.max_steps=124"), undisturbed)
    assert training_differences(train("other", *BASE, "seed=1"), undisturbed)


def test_a_moved_folder_goes_on_where_it_is(train, tmp_path):
    first = train("first", *BASE, "trainer.max_steps=10")
    moved = first.folder.rename(tmp_path / "moved")
    assert train("moved", f"resume={moved}", "trainer.max_steps=12").summary["step"] == 12
    assert not first.folder.exists()


def test_a_periodic_checkpoint_can_be_resumed(train, undisturbed):
    first = train("first", *BASE, "trainer.max_steps=30", "callbacks.checkpoints.keep_every_n_steps=10")
    place = first.folder / "checkpoints" / "step_00000020.ckpt"
    resumed = train("first", f"resume={place}", "trainer.max_steps=125")
    assert training_differences(resumed, undisturbed) == []


def test_a_finished_run_says_so(train):
    first = train("first", *BASE, "trainer.max_steps=10")
    again = train("first", f"resume={first.folder}")
    assert again.code == 0
    assert "is finished, 10 batches. To train longer, add trainer.max_steps=20" in again.output
    assert again.summary == first.summary


@pytest.mark.parametrize("change", ["model.optimizer.lr=1", "data.batch_size=64", "seed=2", "model=gan"])
def test_what_makes_it_another_run_cannot_change(train, change):
    first = train("first", *BASE, "trainer.max_steps=10")
    again = train("first", f"resume={first.folder}", change)
    assert again.code == 1
    assert f"{change}: a resumed run keeps its configuration" in again.output


def test_a_checkpoint_of_another_network_is_refused(train):
    first = train("first", *TINY, "trainer.max_steps=2")
    other = train("other", *TINY, "network.generator.hidden=[16,24]", "trainer.max_steps=2")
    (first.folder / "checkpoints" / "last.ckpt").write_bytes((other.folder / "checkpoints" / "last.ckpt").read_bytes())
    refused = train("first", f"resume={first.folder}", "trainer.max_steps=4")
    assert refused.code == 1
    assert "model.generator.hidden: [16, 24] in the checkpoint, [16, 16] in the run folder" in refused.output


def test_a_truncated_checkpoint_is_refused(train):
    first = train("first", *TINY, "trainer.max_steps=2")
    last = first.folder / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    refused = train("first", f"resume={first.folder}", "trainer.max_steps=4")
    assert refused.code == 1
    assert "is damaged or not a checkpoint" in refused.output


def test_no_run_there(train, tmp_path):
    refused = train("first", f"resume={tmp_path}/nothing")
    assert refused.code == 1
    assert "config.yaml does not exist. Expected the folder of a run" in refused.output
