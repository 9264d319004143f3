"""Which trials of a shared study count, and which are tried again."""

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from gan_lightning.errors import UserError
from gan_lightning.sweeps.search_space import search_space
from gan_lightning.sweeps.study import OwnDraws, SharedStudy, open_study
from gan_lightning.sweeps.trials import Pulses, is_surplus, progress
from gan_lightning.training.run_folder import RunFolder

SPACE = {"x": FloatDistribution(0, 1)}


def parsed(*lines):
    return OverridesParser.create().parse_overrides(list(lines))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("interval(0.5, 2)", FloatDistribution(0.5, 2)),
        ("tag(log, interval(1e-5, 1e-2))", FloatDistribution(1e-5, 1e-2, log=True)),
        ("interval(1, 8)", FloatDistribution(1, 8)),
        ("int(interval(1, 8))", IntDistribution(1, 8)),
        ("tag(log, int(interval(1, 8)))", IntDistribution(1, 8, log=True)),
        ("range(1, 10, 3)", IntDistribution(1, 7, step=3)),
        ("range(7, 0, -3)", IntDistribution(1, 7, step=3)),
        ("tag(log, range(1, 10))", IntDistribution(1, 9, log=True)),
        ("shuffle(range(1, 10, 3))", IntDistribution(1, 7, step=3)),
        ("range(0.5, 2, 0.5)", FloatDistribution(0.5, 1.5, step=0.5)),
        ("choice([0.5,0.999], [0.0,0.9])", CategoricalDistribution(["[0.5,0.999]", "[0.0,0.9]"])),
        ("a,null,3", CategoricalDistribution(["a", "null", 3])),
    ],
)
def test_sweeps_are_distributions(text, expected):
    assert search_space(parsed(f"+k={text}", "seed=3")) == {"+k": expected}


def test_a_shuffled_sweep_is_the_same_in_every_process():
    values = ",".join(map(str, range(50)))
    (found,) = search_space(parsed(f"k=shuffle({values})")).values()
    assert found == CategoricalDistribution(list(range(50)))


WITHOUT = (
    *("interval(2, 1)", "tag(log, interval(0, 1))", "glob(*)", "range(2, 1)"),
    *("tag(log, range(1, 10, 2))", "tag(lgo, interval(1, 2))", "tag(log, choice(1, 2))"),
)


@pytest.mark.parametrize("text", WITHOUT)
def test_a_sweep_without_a_distribution_is_named(text):
    with pytest.raises(UserError, match=r"^k="):
        search_space(parsed(f"k={text}"))


def test_a_search_varies_something():
    with pytest.raises(UserError, match=r"hydra\.sweeper\.params"):
        search_space(parsed("seed=3"))


@pytest.fixture
def shared(tmp_path):
    def join(n_trials=3, max_retries=1, **more):
        sampler = OwnDraws(optuna.samplers.RandomSampler(seed=0))
        study = open_study(str(tmp_path / "study"), "sweep", "minimize", sampler, {"fixed": {"a": "1"}} | more)
        return SharedStudy(study, SPACE, tmp_path, n_trials, max_retries, heartbeat=0.01)

    return join


def end(study, trial, status="finished", cut=False):
    run = RunFolder(study.folder / study.folder_name(trial))
    run.path.mkdir(exist_ok=True)
    run.write_summary({"status": status, "step": 4, "final": {}, "objective": trial.params["x"]})
    study.settle(trial, cut)


def test_processes_share_the_trials(shared):
    one, other = shared(), shared()
    first, second = one.take(2)
    (third,) = other.take(2)
    assert len({trial.params["x"] for trial in (first, second, third)}) == 3
    assert one.take(1) == []
    end(one, first)
    end(one, second, "pruned")
    end(other, third, "failed")
    assert sorted(other.advance().ended) == [0, 1]
    (again,) = one.take(1)
    assert again.params == third.params
    assert one.folder_name(again) == "trial_0002"
    end(one, again, "failed")
    found = one.advance()
    assert (sorted(found.ended), found.failed, one.take(1)) == ([0, 1, 2], [2], [])
    states = {trial.number: (trial.state, trial.value) for trial in one.study.trials}
    assert states[1] == (TrialState.PRUNED, second.params["x"])


def test_an_interruption_is_no_failure(shared):
    study = shared(n_trials=1, max_retries=0)
    for _ in range(3):
        (trial,) = study.take(1)
        assert study.folder_name(trial) == "trial_0000"
        end(study, trial, "interrupted", cut=True)
        assert study.advance().ended == []
    (trial,) = study.take(1)
    end(study, trial, "failed")
    assert study.advance().failed == [0]


def test_one_follows_where_two_processes_repeat_a_trial(shared):
    one, other = shared(n_trials=1), shared(n_trials=1)
    end(one, *one.take(1), "failed")
    stale = progress(one.study.trials, 1).to_repeat
    one.advance()
    other.study.enqueue_trial(stale[0].params, user_attrs={"run": 0, "follows": stale[0].number})
    assert len(one.take(1)) == 1
    assert other.take(1) == []
    assert [trial.state for trial in one.study.trials] == [TrialState.FAIL, TrialState.RUNNING, TrialState.FAIL]


def test_a_trial_too_many_is_discarded(shared):
    study = shared(n_trials=2)
    numbers = [study.study.ask(SPACE).number for _ in range(3)]
    found = study.study.trials
    assert [is_surplus(number, found, 2) for number in numbers] == [False, False, True]


def test_the_trial_of_a_dead_process_is_repeated(shared, monkeypatch):
    one, other = shared(n_trials=1), shared(n_trials=1)
    (trial,) = one.take(1)
    clock = iter(range(1000))
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    run = RunFolder(one.folder / one.folder_name(trial))
    with run.locked():
        other.advance()
        other.advance()
        assert other.take(1) == []
    trial.set_user_attr("pulse", 1)
    other.advance()
    assert other.take(1) == []
    other.advance()
    (again,) = other.take(1)
    assert again.params == trial.params
    end(one, trial)  # it was alive; the other one takes over its run
    assert one.advance().ended == []
    end(other, again)
    assert one.advance().ended == [0]


def test_a_line_that_a_power_cut_ended_is_removed(shared, tmp_path):
    one, journal = shared(), tmp_path / "study"
    one.take(1)
    with journal.open("ab") as file:
        file.write(b'{"op_code":4,"wor')
    assert len(one.advance().begun) == 1
    (trial,) = one.take(1)
    assert len(shared().advance().begun) == 2
    end(one, trial)
    assert sorted(run.state for run in shared().study.trials) == [TrialState.RUNNING, TrialState.COMPLETE]


def test_a_storage_that_fails_is_named(shared, tmp_path):
    study, other = shared(), shared()
    (trial,) = study.take(1)
    with (tmp_path / "study").open("ab") as file:
        file.write(b"damaged\n" * 2)
    for act in (study.advance, lambda: study.take(1), lambda: end(study, trial), lambda: other.take(1)):
        with pytest.raises(UserError, match=r"^hydra\.sweeper\.storage: "):
            act()


def test_a_pulse_that_changes_is_a_sign_of_life():
    pulses = Pulses(10)
    assert not pulses.is_silent(0, None, 0)
    assert not pulses.is_silent(0, 1, 9)
    assert not pulses.is_silent(0, 1, 19)
    assert pulses.is_silent(0, 1, 20)


@pytest.mark.parametrize(
    ("storage", "direction", "command", "message"),
    [
        ("study", "maximize", {}, r"hydra\.sweeper\.direction: minimize there, maximize here"),
        ("study", "minimize", {"fixed": {"a": "2"}}, "a: 1 there, 2 here"),
        ("study", "minimize", {"fixed": {"a": "1", "b": "2"}}, "b: None there, 2 here"),
        ("none/study", "minimize", {}, "storage=.*none/study: .*No such file"),
        ("nothing://me:secret@host/name", "minimize", {}, r"storage=nothing://me:\.\.\.@host/name: "),
    ],
)
def test_a_study_that_cannot_be_shared(shared, tmp_path, storage, direction, command, message):
    shared()
    place = storage if "://" in storage else str(tmp_path / storage)
    with pytest.raises(UserError, match=message):
        open_study(place, "sweep", direction, None, command)
