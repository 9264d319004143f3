"""Several processes against one: the same run."""

import json

import pytest
import torch

from tests.conftest import TINY, WITHOUT_MLP

RUN = (*TINY, "trainer.max_steps=20", "data.batch_size=64", "network.generator.batch_norm=false")


def largest_difference(one, other) -> float:
    a, b = one.checkpoint["state_dict"], other.checkpoint["state_dict"]
    assert a.keys() == b.keys()
    return max((a[name] - b[name]).abs().max().item() for name in a)


@pytest.mark.parametrize(
    "chosen",
    [
        ("model=gan_r1",),
        *(
            pytest.param(each, marks=pytest.mark.slow)
            for each in (
                ("model=gan", "model.n_critic=5"),
                ("model=projection", "model.n_critic=2"),
                ("model=biggan", "model.n_critic=2", "generator_regularizer=orthogonal"),
                ("model=r3gan",),
                ("model=dragan", "model/penalties=dragan_uniform"),
                ("model=reacgan", "model/loss=top_k", "model.loss.share=0.6"),
                ("model=feature_matching", "model/penalties=zero_centered_gp"),
                ("model=zcr", "model/penalties=bcr", "trainer.precision=64-true"),
            )
        ),
    ],
)
def test_two_processes_are_one(train, chosen):
    """G's batch is D's, has fakes of its own number with labels of their own, or real samples of its own."""
    length = ("trainer.max_steps=-1", "trainer.max_images=1280")
    more = (*chosen, "model.optimizer.lr=2e-4", "model.optimizer.betas=[0.5,0.999]", *length)
    alone = train("alone", *RUN, *more)
    together = train("together", *RUN, *more, "trainer.devices=2")
    assert together.code == 0, together.output
    assert together.summary["processes"] == 2
    assert alone.summary["step"] == 20
    assert together.summary["images_seen"] == alone.summary["images_seen"]
    assert largest_difference(alone, together) < 1e-5
    for name, value in alone.summary["final"].items():
        assert together.summary["final"][name] == pytest.approx(value, abs=1e-5), name


@pytest.mark.slow
@pytest.mark.parametrize("num", [300, 50])  # 50 are one block: the first process has none to draw
def test_two_processes_measure_what_one_does(train, train_apart, num):
    more = ("metrics=classifier", f"callbacks.evaluation.num={num}", "model.optimizer.lr=2e-4", "trainer.max_steps=5")
    alone = train("alone", *RUN, *more)
    together = train_apart("together", *RUN, *more, "trainer.devices=2")
    assert together.code == 0, together.output
    metrics = {name: value for name, value in alone.summary["final"].items() if name.startswith("metric/")}
    assert len(metrics) == 10
    for name, value in metrics.items():
        assert together.summary["final"][name] == pytest.approx(value, rel=1e-4), name
    assert together.summary["best"]["step"] == alone.summary["best"]["step"] == 5
    assert (together.folder / "checkpoints" / "best.ckpt").exists()


@pytest.mark.slow
def test_the_comparison_can_fail(train):
    assert largest_difference(train("a", *RUN), train("b", *RUN, "seed=1")) > 1e-2


@pytest.mark.slow
def test_every_process_trains_on_its_own_half_and_all_hold_the_same_state(train_apart):
    """Batch norm's statistics too, although each process saw another half of every batch."""
    dump = "+callbacks.dump={_target_: helpers.Dump, path: '${run_dir}/state'}"
    log = "+callbacks.log={_target_: helpers.SampleLog, path: '${run_dir}/seen'}"
    batch_norm = (*TINY, "trainer.max_steps=20", "network.generator.batch_norm=true")
    outcome = train_apart("run", *batch_norm, dump, log, "trainer.devices=2")
    assert outcome.code == 0, outcome.output
    seen = [json.loads((outcome.folder / f"seen.{rank}").read_text()) for rank in (0, 1)]
    assert len(seen[0]) == len(seen[1]) == 20 * 16
    assert not set(seen[0]) & set(seen[1])
    first, second = (torch.load(outcome.folder / f"state.{rank}", weights_only=True) for rank in (0, 1))
    assert any("running_var" in name for name in first)
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.slow
def test_jobs_of_a_sweep_that_fail_leave_the_next_to_all_its_processes(train_apart, tmp_path):
    """The first fails, of the second a process is killed; the third would fail, too, if one took the first's values."""
    dump = "+callbacks.dump={_target_: helpers.Dump, path: '${run_dir}/state'}"
    options = (*WITHOUT_MLP, "network.discriminator._target_=helpers.ExplodingDiscriminator", "trainer.max_steps=5")
    kill = "+callbacks.kill={_target_: helpers.KillAt, step: 3, rank: 1, once: '${run_dir}/../killed'}"
    jobs = ("+network.discriminator.call=7,1001,1000", f"hydra.sweep.dir={tmp_path}/sweep")
    outcome = train_apart("unused", "-m", *options, *jobs, dump, kill, "trainer.devices=2")
    assert outcome.code == 1
    failed, killed, finished = (tmp_path / "sweep" / f"call={call}" for call in (7, 1001, 1000))
    accounts = [json.loads((job / "summary.json").read_text()) for job in (failed, killed, finished)]
    assert [account["status"] for account in accounts] == ["failed", "failed", "finished"]
    assert "not finite" in accounts[0]["reason"]
    assert accounts[1]["reason"] == "ProcessError: rank 1 was ended by signal 9"
    first, second = (torch.load(finished / f"state.{rank}", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)
