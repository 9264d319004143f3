"""`resume=auto`: one command that begins a run, goes on with it, and sees that it has ended."""

import pytest
import yaml

from gan_lightning.errors import UserError
from gan_lightning.training.experiment import Experiment
from gan_lightning.training.result import SweepJob
from tests.conftest import TINY, training_differences

RUN = (*TINY, "trainer.max_steps=12", "callbacks.checkpoints.every_n_steps=4")
KILL = "+callbacks.kill={{_target_: helpers.KillAt, step: {}, number: null}}"


@pytest.fixture
def start(train, tmp_path):
    """Gives the command of a scheduler; the folder is the same at every start."""
    return lambda *more, name="run": train(name, *RUN, "resume=auto", f"hydra.run.dir={tmp_path / name}", *more)


@pytest.fixture(scope="module")
def undisturbed(trained):
    return trained(*RUN)


@pytest.mark.parametrize(
    ("killed", "saved"),
    [
        pytest.param(2, None, id="before the first checkpoint"),
        pytest.param(10, 8, id="after it", marks=pytest.mark.slow),
    ],
)
def test_a_run_that_was_killed_goes_on_until_it_has_ended(start, undisturbed, killed, saved):
    died = start(KILL.format(killed))
    assert died.code == 1
    assert saved is None or died.checkpoint["global_step"] == saved
    assert (died.folder / "checkpoints" / "last.ckpt").exists() == (saved is not None)
    resumed = start()
    assert resumed.code == 0, resumed.output
    assert training_differences(resumed, undisturbed) == []
    assert files(resumed) == files(undisturbed)
    before = resumed.summary
    ended = start()
    assert ended.code == 0
    assert f"{ended.folder} is finished, 12 batches" in ended.output
    assert ended.summary == before


def files(run) -> list[str]:
    found = (str(file.relative_to(run.folder)) for file in run.folder.rglob("*") if file.is_file())
    return sorted(file for file in found if not file.startswith((".hydra", "events.", "train.log")))


@pytest.mark.slow
def test_keys_that_may_change_count(start, undisturbed):
    start("trainer.max_steps=4")
    longer = start("callbacks.video=null", "objective=loss/generator")
    assert longer.code == 0, longer.output
    assert training_differences(longer, undisturbed) == []


def test_a_run_of_another_configuration_is_refused_with_the_keys(start):
    run = start("trainer.max_steps=4")
    before = {file: file.read_bytes() for file in run.folder.rglob("*") if file.is_file()}
    other = start("seed=1", "callbacks.ema.decay=0.9")
    assert other.code == 1
    assert "holds a run already, of another configuration" in other.output
    assert "seed: 0 there, 1 here" in other.output
    assert "callbacks.ema.decay: 0.999 there, 0.9 here" in other.output
    assert "max_steps" not in other.output.partition("What may change")[0]
    assert {file: file.read_bytes() for file in before} == before


def test_an_argument_that_is_newer_than_the_run_has_its_default(start):
    run = start("trainer.max_steps=4")
    older = yaml.safe_load((run.folder / "config.yaml").read_text())
    del older["model"]["standing_statistics"], older["trainer"]["steps_per_block"]
    (run.folder / "config.yaml").write_text(yaml.safe_dump(older))
    other = start("trainer.max_steps=4", "model.standing_statistics=2")
    assert "model.standing_statistics: 0 there, 2 here" in other.output
    assert f"{run.folder} is finished" in start("trainer.max_steps=4").output


@pytest.mark.slow
def test_a_moved_folder_goes_on(start, undisturbed, tmp_path):
    start("trainer.max_steps=4").folder.rename(tmp_path / "moved")
    assert training_differences(start(name="moved"), undisturbed) == []


@pytest.mark.slow
def test_a_damaged_checkpoint_names_the_way_on(start, undisturbed, train):
    run = start("trainer.max_steps=8", "callbacks.checkpoints.keep_every_n_steps=4")
    last, kept = (run.folder / "checkpoints" / name for name in ("last.ckpt", "step_00000004.ckpt"))
    last.write_bytes(last.read_bytes()[:-100])
    damaged = start()
    assert damaged.code == 1
    assert f"{last} is damaged" in damaged.output
    assert f"resume={kept}" in damaged.output  # step_00000008.ckpt is another name of the damaged file
    assert train("run", f"resume={kept}", "trainer.max_steps=8").code == 0
    assert training_differences(start(), undisturbed) == []


def test_the_folder_has_to_be_the_same_at_every_start(train, monkeypatch):
    for name in ("SLURM_JOB_ID", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    for value in (None, "none"):  # torchrun without --rdzv-id
        if value:
            monkeypatch.setenv("TORCHELASTIC_RUN_ID", value)
        refused = train("run", *RUN, "resume=auto")
        assert refused.code == 1
        assert "Give it by hydra.run.dir=" in refused.output
        assert not refused.folder.exists()


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "2", "TORCHELASTIC_RUN_ID": "of_this_start"}, "7"),
        ({"TORCHELASTIC_RUN_ID": "mine"}, "mine"),
    ],
)
def test_a_job_names_the_folder(monkeypatch, variables, folder):
    from gan_lightning.config.resolvers import _run_dir

    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert _run_dir("auto", "gan_digits") == f"logs/gan_digits/{folder}"


def test_a_sweep_goes_on_without_it(undisturbed, tmp_path):
    config = yaml.safe_load((undisturbed.folder / "config.yaml").read_text()) | {"run_dir": str(tmp_path)}
    with pytest.raises(UserError, match=r"resume=auto: a sweep goes on without it, by hydra\.sweep\.dir="):
        Experiment(config, tmp_path, SweepJob()).fit("auto")
