"""`branch_from=`: a new run from a checkpoint of another one, with other values of what has no state, or a kept one."""

import json

import pytest
import torch
import yaml

from tests.conftest import TINY, Outcome, training_differences

RUN = (*TINY, "callbacks.checkpoints.keep_every_n_steps=4")
HALF = "model.optimizer.lr=1e-4"  # of 2e-4, Adam's in conf/
SCHEDULE = "model.scheduler={_target_: torch.optim.lr_scheduler.StepLR, _partial_: true, step_size: 3, gamma: 0.5}"


@pytest.fixture(scope="module")
def run(trained) -> Outcome:
    return trained(*RUN, HALF.replace("1e-4", "2e-4"), "trainer.max_steps=8")


@pytest.fixture
def branch(train, tmp_path):
    """Trains a branch of a run at batch 4."""

    def train_branch(of: Outcome, *more: str, name: str = "branch") -> Outcome:
        return train(name, f"branch_from={of.folder}/checkpoints/step_00000004.ckpt", *more)

    return train_branch


def lrs(run: Outcome) -> list[float]:
    return [state["param_groups"][0]["lr"] for state in run.checkpoint["optimizer_states"]]


def kept(run: Outcome, step: int) -> dict:
    return torch.load(run.folder / "checkpoints" / f"step_{step:08d}.ckpt", weights_only=True)


def test_without_a_change_it_is_the_same_run(branch, run):
    assert training_differences(branch(run), run) == []


def test_the_changed_rate_is_used_and_all_else_is_kept(branch, run):
    """Adam's first step is in proportion to the rate, from the same weights, moments, batch and z."""
    start = kept(run, 4)
    one = branch(run, "trainer.max_steps=5", name="same")
    other = branch(run, "trainer.max_steps=5", HALF, name="half")
    assert lrs(one) == [2e-4, 2e-4]
    assert lrs(other) == [1e-4, 1e-4]
    for name, weights in start["state_dict"].items():
        if name.startswith("discriminator"):
            steps = (end.checkpoint["state_dict"][name].double() - weights for end in (other, one))
            assert torch.allclose(next(steps), next(steps) / 2, rtol=1e-2, atol=1e-8), name


def test_it_is_recorded_as_what_it_is_and_the_other_run_is_untouched(branch, run):
    before = {file: file.read_bytes() for file in run.folder.rglob("*") if file.is_file()}
    new = branch(run, HALF, "model.gradient_clip_norm=1")
    assert {file: file.read_bytes() for file in run.folder.rglob("*") if file.is_file()} == before
    config = yaml.safe_load((new.folder / "config.yaml").read_text())
    assert config["run_dir"] == config["callbacks"]["checkpoints"]["folder"] == str(new.folder)
    for record in (config, new.summary, json.loads((new.folder / "summary.json").read_text())):
        assert record["branch_from"]["checkpoint"] == f"{run.folder}/checkpoints/step_00000004.ckpt"
        assert record["branch_from"]["step"] == 4
        assert record["branch_from"]["changes"] == [
            "model.discriminator_optimizer.lr: 0.0001 (was 0.0002)",
            "model.generator_optimizer.lr: 0.0001 (was 0.0002)",
            "model.gradient_clip_norm: 1 (was None)",
            "model.optimizer.lr: 0.0001 (was 0.0002)",
        ]
    assert new.summary["step"] == 8
    assert "from batch 4: model.discriminator_optimizer.lr: 0.0001 (was 0.0002)" in new.output
    assert f"{new.folder}" != f"{run.folder}"


@pytest.mark.slow
def test_a_branch_that_was_killed_goes_on_exactly(branch, run, tmp_path):
    undisturbed = branch(run, HALF, name="undisturbed")
    command = ("resume=auto", f"hydra.run.dir={tmp_path}/killed", HALF)
    kill = "+callbacks.kill={{_target_: helpers.KillAt, step: {}, number: null}}"
    for step in (5, 7):
        assert (
            branch(run, *command, kill.format(step), "callbacks.checkpoints.every_n_steps=6", name="killed").code == 1
        )
    resumed = branch(run, *command, name="killed")
    assert resumed.code == 0, resumed.output
    assert training_differences(resumed, undisturbed) == []


@pytest.mark.slow
def test_a_schedule_is_where_it_would_be_with_the_changed_rate(branch, trained):
    scheduled = trained(*RUN, HALF.replace("1e-4", "2e-4"), "trainer.max_steps=8", SCHEDULE)
    assert training_differences(branch(scheduled), scheduled) == []
    new = branch(scheduled, HALF, "trainer.max_steps=5", name="half")
    assert lrs(new) == [0.5e-4, 0.5e-4]
    changed = branch(scheduled, "+model.scheduler.gamma=0.1", "trainer.max_steps=7", name="gamma")
    assert changed.code == 0, changed.output
    assert lrs(changed) == pytest.approx([2e-6, 2e-6])  # twice multiplied, before and after the branch


@pytest.mark.parametrize("change", ["network.generator.latent_dim=9", "data.batch_size=64", "seed=1"])
def test_what_the_state_does_not_allow_is_refused(branch, run, change):
    refused = branch(run, change)
    assert refused.code == 1
    assert f"{change}: a branch keeps the configuration of {run.folder}" in refused.output
    assert "model.gradient_clip_norm" in refused.output


def test_an_optimizer_of_another_state_is_refused(branch, run):
    refused = branch(run, "+model.optimizer.amsgrad=true")
    assert refused.code == 1
    assert "needs max_exp_avg_sq of every weight" in refused.output
    assert not (refused.folder / "checkpoints").exists()


def test_it_is_no_resumed_run(train, run):
    refused = train("run", f"branch_from={run.folder}", f"resume={run.folder}")
    assert refused.code == 1
    assert "choose one" in refused.output
