"""A run that is cut off and resumed against the same run undisturbed: every tensor, every loss, to the bit."""

import json
import signal

import pytest
import torch

from gan_lightning.training.continuation import continuation
from tests.conftest import TINY, WITHOUT_MLP, training_differences

EPOCH = 10  # batches of 32 in 320 digits
DROPOUT = "network.discriminator._target_=helpers.DropoutDiscriminator"
BASE = (*WITHOUT_MLP, DROPOUT, "data.limit=320", "trainer.max_steps=26")
LOG = "+callbacks.log={_target_: helpers.LossLog, path: '${run_dir}/losses'}"


def losses(folder, rank=0) -> dict[int, dict]:
    """The last account of every batch; batches after the checkpoint were trained twice."""
    lines = map(json.loads, (folder / f"losses.{rank}").read_text().splitlines())
    return {line.pop("step"): line for line in lines}


@pytest.fixture(scope="module")
def undisturbed(trained):
    return trained(*BASE, LOG)


@pytest.fixture
def short(trained, tmp_path):
    """A run of eight batches, to go on with."""
    kept = "callbacks.checkpoints.keep_every_n_steps=4"
    return trained(*BASE, "trainer.max_steps=8", kept).copy(tmp_path / "short")


@pytest.fixture
def two(trained, tmp_path):
    """A run of two batches, to go on with."""
    return trained(*TINY, "trainer.max_steps=2").copy(tmp_path / "two")


def cut_off(run, saved, killed, at_epoch_end=False, number=signal.SIGKILL, more=()):
    """Saves after `saved` batches and ends after `killed`."""
    where = f"step: {killed}, at_epoch_end: {at_epoch_end}, number: {'null' if number is None else int(number)}"
    cadence = f"callbacks.checkpoints.every_n_steps={saved}"
    died = run("died", *BASE, LOG, cadence, f"+callbacks.kill={{_target_: helpers.KillAt, {where}}}", *more)
    assert died.code == (1 if number is None else -number), died.output
    assert died.checkpoint["global_step"] == saved
    return died


def assert_goes_on_exactly(run, died, undisturbed):
    resumed = run("died", f"resume={died.folder}", "+callbacks.kill=null")
    assert resumed.code == 0, resumed.output
    assert training_differences(resumed, undisturbed) == []
    assert losses(resumed.folder) == losses(undisturbed.folder)


@pytest.mark.parametrize(
    ("saved", "ended", "at_epoch_end"),
    [
        pytest.param(6, 8, False, id="mid-epoch"),
        pytest.param(EPOCH, EPOCH, True, id="on the last batch", marks=pytest.mark.slow),
        pytest.param(EPOCH, EPOCH, False, id="at the epoch's end", marks=pytest.mark.slow),
        pytest.param(EPOCH, EPOCH + 3, False, id="in the next epoch", marks=pytest.mark.slow),
    ],
)
def test_cut_off_and_resumed(train, undisturbed, saved, ended, at_epoch_end):
    assert_goes_on_exactly(train, cut_off(train, saved, ended, at_epoch_end, number=None), undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_killed_and_resumed(train_apart, undisturbed, workers):
    died = cut_off(train_apart, 16, 18, more=(f"data.num_workers={workers}",))
    assert_goes_on_exactly(train_apart, died, undisturbed)


@pytest.mark.slow
def test_stopped_killed_and_resumed_with_two_processes(train_apart):
    """One of them gets the signal to stop, and all stop together; later one is killed."""
    options = (*BASE, LOG, "trainer.devices=2", "trainer.max_steps=60")
    undisturbed = train_apart("undisturbed", *options)
    kill = "+callbacks.kill={{_target_: helpers.KillAt, step: {}, rank: 1, number: {}}}"
    stopped = train_apart("stopped", *options, kill.format(17, int(signal.SIGTERM)))
    assert stopped.code == 143, stopped.output
    assert 18 <= stopped.checkpoint["global_step"] <= 20
    on = ("stopped", f"resume={stopped.folder}")
    died = train_apart(*on, "callbacks.checkpoints.every_n_steps=40", kill.format(42, int(signal.SIGKILL)))
    assert died.code != 0
    assert died.checkpoint["global_step"] == 40
    resumed = train_apart(*on, "+callbacks.kill=null")
    assert resumed.code == 0, resumed.output
    assert training_differences(resumed, undisturbed) == []
    assert losses(resumed.folder, rank=1) == losses(undisturbed.folder, rank=1)


@pytest.mark.slow
def test_resumed_again_and_again(train, short, undisturbed):
    for limit in (
        f"trainer.max_steps={EPOCH}",
        "trainer.max_epochs=2",
        f"trainer.max_steps={2 * EPOCH + 1}",
        "trainer.max_steps=26",
    ):
        resumed = train("short", f"resume={short.folder}", limit)
        assert resumed.code == 0, resumed.output
    assert training_differences(resumed, undisturbed) == []


@pytest.mark.slow
def test_the_comparison_can_fail(train, undisturbed):
    """Two faults that a resume might have: one batch lost, and another random stream."""
    assert training_differences(train("one_less", *BASE, "trainer.max_steps=25"), undisturbed)
    assert training_differences(train("other", *BASE, "seed=1"), undisturbed)


def test_a_moved_folder_goes_on_where_it_is_and_is_named_as_the_commands_of_a_report_name_it(train, short, tmp_path):
    moved = short.folder.rename(tmp_path / "lr=0.1,seed=0")
    override = continuation(moved, {"model": {}}, {"status": "interrupted", "step": 12})[0]
    assert "../" in override
    assert train("lr=0.1,seed=0", override, "trainer.max_steps=12").summary["step"] == 12
    assert not short.folder.exists()


def test_a_periodic_checkpoint_can_be_resumed(train, short, undisturbed):
    place = short.folder / "checkpoints" / "step_00000004.ckpt"
    resumed = train("short", f"resume={place}", "trainer.max_steps=26")
    assert training_differences(resumed, undisturbed) == []


def test_a_finished_run_says_so(train, short):
    before = short.summary
    again = train("short", f"resume={short.folder}")
    assert again.code == 0
    assert "is finished, 8 batches. To train longer, add trainer.max_steps=16" in again.output
    assert again.summary == before


@pytest.mark.parametrize("change", ["model.optimizer.lr=1", "data.batch_size=64", "seed=2", "model=gan"])
def test_what_makes_it_another_run_cannot_change(train, short, change):
    again = train("short", f"resume={short.folder}", change)
    assert again.code == 1
    assert f"{change}: a resumed run keeps its configuration" in again.output


def test_a_checkpoint_of_another_network_is_refused(train, two):
    other = train("other", *TINY, "network.generator.hidden_dims=[16,24]", "trainer.max_steps=2")
    (two.folder / "checkpoints" / "last.ckpt").write_bytes((other.folder / "checkpoints" / "last.ckpt").read_bytes())
    refused = train("two", f"resume={two.folder}", "trainer.max_steps=4")
    assert refused.code == 1
    assert "model.generator.hidden_dims: [16, 24] in the checkpoint, [16, 16] in the run folder" in refused.output


def test_a_truncated_checkpoint_is_refused(train, two):
    last = two.folder / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    refused = train("two", f"resume={two.folder}", "trainer.max_steps=4")
    assert refused.code == 1
    assert "is damaged or not a checkpoint" in refused.output


def test_no_run_there(train, tmp_path):
    refused = train("first", f"resume={tmp_path}/nothing")
    assert refused.code == 1
    assert "there is no such folder. Expected the folder of a run" in refused.output
    assert not (tmp_path / "nothing").exists()


@pytest.mark.slow
def test_a_session_that_cannot_start_leaves_the_folder_as_it_was(train, two):
    before = (two.folder / "config.yaml").read_text()
    broken = "+callbacks.broken={_target_: helpers.CannotStart}"
    with pytest.raises(RuntimeError, match="cannot start"):
        train("two", f"resume={two.folder}", "trainer.max_steps=4", broken)
    assert (two.folder / "config.yaml").read_text() == before
    assert train("two", f"resume={two.folder}", "trainer.max_steps=4").summary["step"] == 4


@pytest.mark.parametrize("change", ["callbacks.ema=null", "trainer.precision=bf16-mixed"])
def test_what_the_state_depends_on_cannot_change(train, two, change):
    again = train("two", f"resume={two.folder}", "trainer.max_steps=4", change)
    assert again.code == 1
    assert "but not trainer.precision, trainer.fast, callbacks.ema" in again.output


def test_a_run_is_resumed_in_its_own_folder(train, two, tmp_path):
    again = train("two", f"resume={two.folder}", "trainer.max_steps=4", f"hydra.run.dir={tmp_path}/other")
    assert again.code == 1
    assert "a run is resumed in its own folder" in again.output


@pytest.mark.slow
def test_a_callback_that_stops_at_the_end_of_an_epoch_loses_nothing(train):
    stop = "+callbacks.stop={_target_: helpers.StopAtEpoch, epoch: 1}"
    options = (*TINY, "data.limit=320", "trainer.max_epochs=3")
    stopped = train("stopped", *options, stop)
    assert stopped.checkpoint["global_step"] == 2 * EPOCH
    resumed = train("stopped", f"resume={stopped.folder}", "+callbacks.stop=null")
    assert training_differences(resumed, train("whole", *options)) == []


@pytest.mark.slow
def test_the_figures_of_earlier_sessions_are_kept(train):
    options = (*TINY, "logger=csv", "trainer.log_every_n_steps=1")
    first = train("first", *options, "trainer.max_steps=4")
    train("first", f"resume={first.folder}", "trainer.max_steps=6")
    lines = [len(path.read_text().splitlines()) for path in sorted(first.folder.glob("csv*/metrics.csv"))]
    assert lines == [1 + 4, 1 + 2]


@pytest.mark.slow
def test_the_dcgan_recipe_goes_on_exactly_with_its_dropout(train, mnist_root):
    small = ("network.generator.channels=[8,8,8]", "network.discriminator.channels=[8,8]", "data.batch_size=16")
    recipe = ("experiment=dcgan_mnist", f"data.root={mnist_root}", *small, "trainer=cpu", "callbacks.samples=null")
    whole = train("whole", *recipe, "trainer.max_steps=6")
    first = train("first", *recipe, "trainer.max_steps=3")
    resumed = train("first", f"resume={first.folder}", "trainer.max_steps=6")
    assert resumed.code == 0, resumed.output
    assert training_differences(resumed, whole) == []
    assert training_differences(whole, train("other", *recipe, "trainer.max_steps=6", "seed=1"))


@pytest.mark.slow
@pytest.mark.parametrize("aid", ["augment=diffaugment", "augment=bgc", "augment=adaptive"])
def test_augmentation_and_regularizer_go_on_exactly(train, aid):
    """Cut between two moves of the share, which comes every four batches."""
    moving = ("model.augment.ada_images=640", "model.augment.target=-0.9") if aid == "augment=adaptive" else ()
    at_once = "model.schedules.regularizers.lecam.weight.begin=0"
    options = (*TINY, aid, *moving, "regularizer=lecam", at_once, "model.accumulate=2")
    whole = train("whole", *options, "trainer.max_steps=14")
    first = train("first", *options, "trainer.max_steps=6")
    resumed = train("first", f"resume={first.folder}", "trainer.max_steps=14")
    assert resumed.code == 0, resumed.output
    assert training_differences(resumed, whole) == []
    state = whole.checkpoint["state_dict"]
    p = {"augment=diffaugment": 1.0, "augment=bgc": 0.5, "augment=adaptive": 0.6}[aid]
    assert state["augment.transforms.p" if moving else "augment.p"].item() == pytest.approx(p)
    assert state["regularizers.lecam.anchors"].abs().min() > 0
    for index, left_out in enumerate((aid, "regularizer=lecam")):
        with_it = {aid: moving, "regularizer=lecam": (at_once,)}[left_out]
        kept = [option for option in options if option != left_out and option not in with_it]
        without = train(f"without_{index}", *kept, "trainer.max_steps=14").checkpoint["state_dict"]
        assert not all(torch.equal(weight, state[name]) for name, weight in without.items() if "weight" in name)


@pytest.mark.slow
def test_biggan_goes_on_exactly_with_the_singular_vectors_of_both_networks(train):
    widths = tuple(f"network.{player}.base_channels=2" for player in ("generator", "discriminator"))
    quiet = tuple(f"callbacks.{name}=null" for name in ("progress", "samples", "report"))
    options = ("model=biggan", "network=biggan", *widths, "trainer=cpu", *quiet, "data.batch_size=16")
    more = ("generator_regularizer=orthogonal", "model.n_critic=2")
    whole = train("whole", *options, *more, "trainer.max_steps=8")
    first = train("first", *options, *more, "trainer.max_steps=3")
    before, resumed = first.checkpoint["state_dict"], train("first", f"resume={first.folder}", "trainer.max_steps=8")
    assert resumed.code == 0, resumed.output
    assert training_differences(resumed, whole) == []
    state = whole.checkpoint["state_dict"]
    vectors = [name for name in state if name.startswith("generator.") and name.endswith("_u")]
    assert vectors
    assert all(torch.equal(state[name], state[f"generator_ema.{name.removeprefix('generator.')}"]) for name in vectors)
    assert not all(torch.equal(state[name], before[name]) for name in vectors)
