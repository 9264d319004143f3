"""The doctor in runs: what it says and where, what it does about a collapse, and that it changes nothing else.

A generator that climbs its loss keeps samples that are alike: the doctor measures after every second batch, allows it
at the first four measurements, and finds a collapse at the seventh, after batch 14. Its samples were nearest to data
after batch 2; after a rollback to it, the seventh measurement is that of batch 16.
"""

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan_lightning.sweeps.results import write_results
from gan_lightning.training import checkpoint
from tests.conftest import TINY, differing, refusal, training_differences
from tests.ddp.test_ddp import largest_difference

ALIKE = (*TINY, "model=gan", "model.optimizer.lr=1e-2", "+model.generator_optimizer.maximize=true")


def doctor(on_collapse: str = "warn", every_n_updates: int = 2) -> str:
    target = "gan_lightning.callbacks.Doctor"
    return f"callbacks.doctor={{_target_: {target}, every_n_updates: {every_n_updates}, on_collapse: {on_collapse}}}"


def states(outcome):
    return [finding["state"] for finding in outcome.summary["doctor"]["findings"]]


@pytest.fixture(scope="module")
def warned(trained):
    return trained(
        *ALIKE,
        doctor(),
        "trainer.max_steps=16",
        "callbacks.report={_target_: gan_lightning.callbacks.Report, folder: '${run_dir}'}",
    )


def test_a_run_is_the_same_with_and_without_it(trained, train):
    run = (
        *TINY,
        "trainer.max_steps=6",
        "network.discriminator.minibatch_std={_target_: gan_lightning.networks.MinibatchStd, group_size: 4}",
    )
    assert training_differences(train("with", *run, doctor()), trained(*run)) == []


def test_the_summary_says_what_is_wrong(warned):
    found = warned.summary["doctor"]
    assert found["measurements"] == 8
    assert found["course"][0] == [14, ["collapse"]]
    collapse = found["findings"][-1]
    assert (collapse["state"], collapse["since"]) == ("collapse", 10)
    assert "model/penalties=r1" in collapse["advice"]
    assert collapse["curve"][-1] == [16, pytest.approx(warned.summary["final"]["doctor/coverage"])]


def test_the_terminal_tensorboard_and_the_report_say_it(warned):
    assert "doctor    Modes collapse since batch 10: two generated samples are" in warned.output
    events = EventAccumulator(str(next(warned.folder.rglob("events.*")).parent)).Reload()
    text = events.Tensors("doctor/text_summary")[0]
    assert text.step == 14
    assert b"Modes collapse since batch 10" in text.tensor_proto.string_val[0]
    assert events.Scalars("doctor/spread")[-1].step == 16
    page = (warned.folder / "report.html").read_text()
    assert "Modes collapse since batch 10" in page
    assert "<code>model/penalties=r1</code>" in page


def test_the_table_of_a_sweep_says_it(warned, tmp_path, capsys):
    run = warned.copy(tmp_path / "sweep" / "run")
    write_results(run.folder.parent)
    assert "run: " in capsys.readouterr().out.split("Modes collapse since batch 10")[0].splitlines()[-1]
    for name in ("results.html", "results.csv"):
        assert "Modes collapse since batch 10" in (tmp_path / "sweep" / name).read_text()


def test_the_progress_line_says_it(train, capfd):
    bar = "callbacks.progress={_target_: gan_lightning.callbacks.Progress, refresh_seconds: 0}"
    outcome = train("run", *ALIKE, doctor(), bar, "trainer.max_steps=16")
    assert "Modes collapse since batch 10" in outcome.output + capfd.readouterr().err


def test_the_history_is_resumed(train, warned):
    part = train("part", *ALIKE, doctor(), "trainer.max_steps=11")
    assert part.summary["doctor"]["measurements"] == 6  # the last one is out of the order
    whole = train("part", f"resume={part.folder}", "trainer.max_steps=16")
    assert training_differences(whole, warned) == []
    ends = [outcome.checkpoint["callbacks"]["Doctor"] for outcome in (whole, warned)]
    for history in zip(*(end.pop("history") for end in ends), strict=True):
        assert len({str(signs) for signs in history}) == 1  # as texts, in which NaN equals NaN
    assert differing(*ends) == []


def test_it_counts_updates_of_the_generator(train):
    outcome = train("run", *TINY, "model=wgan", "model.n_critic=2", doctor(every_n_updates=2), "trainer.max_steps=9")
    assert outcome.summary["doctor"]["measurements"] == 3  # after batches 4 and 8, and after the last one


def test_stop_ends_the_run(train):
    outcome = train("run", *ALIKE, doctor("stop"), "trainer.max_steps=40")
    assert outcome.summary["status"] == "stopped"
    assert outcome.summary["step"] == 14
    assert states(outcome) == ["collapse"]
    again = train("run", f"resume={outcome.folder}", "trainer.max_steps=14")
    assert "is stopped, 14 batches" in again.output


@pytest.fixture(scope="module")
def rolled_back(trained):
    return trained(*ALIKE, doctor("rollback"), "trainer.max_steps=40")


def test_rollback_goes_back_twice_and_then_stops(rolled_back):
    r1 = {"_target_": "gan_lightning.losses.r1", "_partial_": True, "weight": 1.0}
    assert rolled_back.summary["status"] == "stopped"
    first, second = rolled_back.summary["doctor"]["rollbacks"]
    assert (first["from"], first["to"], first["changes"]) == (14, 2, {"model.penalties.r1": r1})
    assert first["changed"] == "model.penalties.r1.weight=1"
    assert (second["from"], second["to"]) == (16, 2)
    changes = second["changes"]
    assert changes.pop("model.penalties.r1.weight") == 10
    players = ("optimizer", "generator_optimizer", "discriminator_optimizer")
    assert changes == {f"model.{name}.lr": pytest.approx(2.5e-3) for name in players}
    assert rolled_back.checkpoint["config"]["model"]["penalties"]["r1"]["weight"] == 10


def test_a_rollback_is_a_branch_of_the_healthy_checkpoint(train, rolled_back):
    start = train("start", *ALIKE, doctor(), "trainer.max_steps=2")
    changed = (
        "+model.penalties={r1: {_target_: gan_lightning.losses.r1, _partial_: true, weight: 10}}",
        "model.optimizer.lr=2.5e-3",
    )
    branch = train("branch", f"branch_from={start.folder}/checkpoints/last.ckpt", *changed, "trainer.max_steps=16")
    assert branch.code == 0, branch.output
    assert differing(branch.checkpoint["state_dict"], rolled_back.checkpoint["state_dict"]) == []


def test_the_best_checkpoint_may_be_of_batches_that_were_left_behind(train, monkeypatch):
    from gan_lightning.training import rollback

    begin, values = rollback.begin, []

    def begun(config, folder, doctor):
        values.append(checkpoint.read(folder.last)["callbacks"]["Checkpoints"]["best"]["value"])
        return begin(config, folder, doctor)

    monkeypatch.setattr(rollback, "begin", begun)
    best = ("callbacks.checkpoints.monitor=doctor/logit", "callbacks.checkpoints.mode=max")
    outcome = train("run", *ALIKE, doctor("rollback"), *best, "trainer.max_steps=40")
    found = outcome.summary["best"]
    assert found["value"] >= max(values)
    best_checkpoint = checkpoint.read(outcome.folder / "checkpoints" / "best.ckpt")
    assert best_checkpoint["callbacks"]["Checkpoints"]["best"] == found


def test_a_run_that_was_rolled_back_resumes_exactly(train, rolled_back):
    """It is killed after both rollbacks, and the folder has the configuration that was typed."""
    kill = "+callbacks.kill={_target_: helpers.KillAfterRollbacks, rollbacks: 2, step: 11}"
    often = "callbacks.checkpoints.every_n_steps=1"
    killed = train("run", *ALIKE, doctor("rollback"), kill, often, "trainer.max_steps=40")
    assert killed.code == 1
    resumed = train("run", f"resume={killed.folder}", "+callbacks.kill=null", "trainer.max_steps=40")
    assert resumed.code == 0, resumed.output
    assert resumed.summary["status"] == "stopped"
    assert training_differences(resumed, rolled_back) == []
    assert len(resumed.summary["doctor"]["rollbacks"]) == 2


def test_a_kill_between_the_rollback_and_its_first_batch_loses_nothing(train, rolled_back, monkeypatch):
    from gan_lightning.training import rollback

    begin = rollback.begin

    def killed(*arguments):
        begin(*arguments)
        raise FloatingPointError("killed")

    monkeypatch.setattr(rollback, "begin", killed)
    outcome = train("run", *ALIKE, doctor("rollback"), "trainer.max_steps=40")
    assert "killed" in outcome.output
    monkeypatch.setattr(rollback, "begin", begin)
    resumed = train("run", f"resume={outcome.folder}")
    assert training_differences(resumed, rolled_back) == []


@pytest.mark.slow
def test_two_processes_roll_back_together(train, train_apart):
    run = (*ALIKE, doctor("rollback"), "network.generator.batch_norm=false", "trainer.max_steps=40")
    alone, together = train("alone", *run), train_apart("together", *run, "trainer.devices=2")
    assert together.code == 0, together.output
    assert together.summary["doctor"]["rollbacks"] == alone.summary["doctor"]["rollbacks"] != []
    assert largest_difference(alone, together) < 1e-5


def test_settings_that_cannot_work_are_refused(train):
    assert "on_collapse='no': expected warn, stop or rollback" in refusal(*TINY, doctor("no"))
    assert "every_n_updates=0" in refusal(*TINY, doctor(every_n_updates=0))
    outcome = train("run", *ALIKE, doctor("rollback"), "callbacks.checkpoints=null")
    assert "set callbacks.checkpoints, or use stop or warn" in outcome.output
    assert not (outcome.folder / "summary.json").exists()


def test_data_of_others_has_its_gradients_measured(train):
    data = "data={_target_: helpers.PlainData, image_shape: [1, 28, 28], condition_dim: 10, batch_size: 16}"
    outcome = train("run", *TINY[:-1], "~data", f"+{data}", doctor(), "trainer.max_steps=4")
    assert outcome.code == 0, outcome.output
    assert outcome.summary["doctor"]["measurements"] == 2
    (signs, _) = outcome.checkpoint["callbacks"]["Doctor"]["history"]
    assert signs["gradient_d"] > 0
    assert signs["spread"] != signs["spread"]  # NaN
