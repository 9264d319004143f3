"""Resumed in the middle of schedules: the same tensors; with another length of the run: refused or branched."""

import pytest

from tests.conftest import TINY, training_differences
from tests.ddp.test_ddp import largest_difference


def scheduled(name: str, curve: str) -> str:
    return f"+model.schedules.{name}={{_target_:gan_lightning.schedules.{curve}}}"


EVERY = (
    *TINY,
    *("augment=diffaugment", "regularizer=lecam", "model.schedules.regularizers.lecam.weight.begin=4"),
    *("callbacks.ema.decay=null", "callbacks.ema.half_life=200", "callbacks.ema.rampup=0.5"),
    scheduled("optimizer.lr", "Cosine,end:5e-5,until:320,unit:images"),
    scheduled("optimizer.betas.1", "Linear,start:0.9,end:0.99,until:8"),
    scheduled("penalties.r1.weight", "Steps,factor:0.7,every:3"),
    scheduled("augment.p", "Linear,end:0.1,until:10"),
    scheduled("ema.half_life", "Cosine,start:0,end:400,until:1,unit:run"),
    "model/loss=top_k",
    "trainer.max_steps=10",
)
RATE = scheduled("optimizer.lr", "Linear,end:0,until:1,unit:run")


@pytest.fixture(scope="module")
def whole(trained):
    return trained(*EVERY)


def test_resumed_in_the_middle_of_every_schedule(train, whole):
    """The checkpoint holds the numbers of batch 5; they are made again from the position, and not from it."""
    cut = "+callbacks.kill={_target_: helpers.KillAt, step: 7, number: null}"
    died = train("cut", *EVERY, "callbacks.checkpoints.every_n_steps=5", cut)
    assert died.checkpoint["global_step"] == 5
    resumed = train("cut", f"resume={died.folder}", "+callbacks.kill=null")
    assert resumed.code == 0, resumed.output
    assert training_differences(resumed, whole) == []
    names = [name for name in whole.summary["final"] if name.startswith("schedule/")]
    assert len(names) == 7
    assert {name: resumed.summary["final"][name] for name in names} == {n: whole.summary["final"][n] for n in names}


@pytest.mark.slow
@pytest.mark.parametrize("left_out", [option for option in EVERY if "schedules" in option])
def test_every_schedule_has_an_effect(train, whole, left_out):
    without = train("without", *(option for option in EVERY if option != left_out))
    assert without.code == 0, without.output
    assert training_differences(without, whole)


@pytest.mark.slow
def test_two_processes_are_one_under_schedules(train_apart):
    options = [option for option in EVERY if "augment" not in option]  # which is drawn by each process
    options += ["data.batch_size=64", "network.generator.batch_norm=false", "model.optimizer.betas=[0.5,0.999]"]
    alone = train_apart("alone", *options, "model.optimizer.lr=2e-4")
    together = train_apart("together", *options, "model.optimizer.lr=2e-4", "trainer.devices=2")
    assert together.code == 0, together.output
    assert largest_difference(alone, together) < 1e-5
    for name, value in alone.summary["final"].items():
        assert together.summary["final"][name] == pytest.approx(value, abs=1e-5), name


@pytest.mark.slow
def test_another_length_is_another_run(train):
    run = train("run", *TINY, RATE, "trainer.max_steps=4")
    assert f"branch_from={run.folder}"[-20:] in run.output
    longer = train("run", f"resume={run.folder}", "trainer.max_steps=8")
    assert longer.code == 1
    assert (
        "trainer.max_steps=8: it was 4, and model.schedules.optimizer.lr goes by the share of the run" in longer.output
    )
    shorter = train("run", f"resume={run.folder}", "+trainer.limit_train_batches=1")
    assert "trainer.limit_train_batches=1: it was None, and model.schedules.optimizer.lr" in shorter.output
    branch = train("branch", f"branch_from={run.folder}", "trainer.max_steps=8")
    assert branch.code == 0, branch.output
    last = branch.checkpoint["optimizer_states"][0]["param_groups"][0]["lr"]
    assert last == pytest.approx(1e-3 * (1 - 7 / 8))


@pytest.mark.slow
def test_a_branch_may_have_another_schedule(train):
    run = train("run", *TINY, RATE, "trainer.max_steps=4")
    branch = train(
        "branch", f"branch_from={run.folder}", "+model.schedules.optimizer.lr.end=1e-3", "trainer.max_steps=6"
    )
    assert branch.code == 0, branch.output
    assert branch.checkpoint["optimizer_states"][0]["param_groups"][0]["lr"] == pytest.approx(1e-3)


@pytest.mark.slow
def test_a_branch_without_the_schedule_of_p_has_the_configured_p(train):
    run = train(
        "run", *TINY, "augment=diffaugment", scheduled("augment.p", "Linear,end:0.1,until:2"), "trainer.max_steps=4"
    )
    assert run.checkpoint["state_dict"]["augment.p"] == pytest.approx(0.1)
    branch = train("branch", f"branch_from={run.folder}", "+model.schedules.augment.p=null", "trainer.max_steps=5")
    assert branch.code == 0, branch.output
    assert branch.checkpoint["state_dict"]["augment.p"] == 1
