"""`sweep=race`: who goes on, what it costs, a race that goes on, candidates that fail, mistakes."""

import json
import re
import signal
from unittest.mock import Mock

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import OmegaConf

from gan_lightning.errors import UserError
from gan_lightning.sweeps import halving, race, race_record, standings, watch
from gan_lightning.sweeps.race_jobs import jobs_of, parsed
from gan_lightning.sweeps.results import write_results
from gan_lightning.training.resume import require_any_length
from gan_lightning.training.run_folder import RunFolder
from tests.conftest import TINY, Outcome, training_differences
from tests.sweeps.test_hostile_runs import Page
from tests.sweeps.test_sweeps import LAUNCHERS, place, rows

RACE = ("sweep=race", *TINY, "metrics=null", "objective=loss/generator")
MODELS = "model=gan,hinge,lsgan,minimax"


# The rules


@pytest.mark.parametrize(
    ("candidates", "eta", "expected"), [(8, 2, [8, 4, 2]), (3, 2, [3, 2]), (2, 2, [2]), (21, 3, [21, 7, 3])]
)
def test_the_last_rung_compares_at_most_eta(candidates, eta, expected):
    rungs = halving.enough_rungs(candidates, eta)
    assert halving.sizes(candidates, rungs, eta) == expected
    assert halving.lengths(36.0, rungs, eta) == [36.0 / eta**k for k in reversed(range(rungs))]


def test_the_best_go_on_and_never_one_without_a_figure():
    figures = {"a": 3.0, "b": None, "c": 1.0, "d": 3.0, "e": 2.0}
    assert halving.best(figures, 3, maximize=False) == ["c", "e", "a"]
    assert halving.best(figures, 2, maximize=True) == ["a", "d"]
    assert halving.best(figures, 9, maximize=False) == ["c", "e", "a", "d"]


def test_a_candidate_is_typed_as_on_the_command_line():
    assert parsed("r3gan") == ["model=r3gan"]
    assert parsed("model=gan '+model.x={a: 1}' ~augment") == ["model=gan", "+model.x={a: 1}", "~augment"]


def test_a_candidate_counts_more_than_the_command_line():
    jobs = jobs_of({}, [["model=gan"], ["model=r3gan", "network=r3gan"]], rungs=2)
    jobs = type(jobs)({"network": "network=mlp"}, jobs.entries, ["seed=3"], jobs.rungs)
    (folder,) = jobs.runs("model=r3gan,network=r3gan")
    assert folder == "model=r3gan,network=r3gan,seed=3"
    found = jobs.overrides("model=r3gan,network=r3gan", "seed=3", folder, {"trainer.max_images": 7})
    assert found[:6] == [
        *("network=r3gan", "model=r3gan", "seed=3"),
        *("trainer.max_images=7", "trainer.max_steps=-1", "trainer.max_epochs=-1"),
    ]


# Without training


class Course:
    """Races in a folder, whose jobs do not train: a launcher writes what they would have left.

    The figure of a run is its model's number less its length in millions of images; it fails if that is above 10.
    """

    def __init__(self, folder, monkeypatch):
        self.folder, self.numbers = folder, {"gan": 1.0, "hinge": 2.0, "lsgan": 3.0, "minimax": 4.0}
        self.launched = []
        """The images of each model's runs, by rung; None for batches."""
        self.launcher = Mock(spec=Launcher)
        self.launcher.launch.side_effect = self.launch
        monkeypatch.setattr(Plugins, "instantiate_launcher", lambda self_, **_: self.launcher)
        monkeypatch.setattr(watch, "running", [])
        parser = OverridesParser.create()
        monkeypatch.setattr(
            race, "overrides_of", lambda c: {o.key_or_group: o for o in parser.parse_overrides(c.typed)}
        )

    def launch(self, jobs, initial_job_idx):
        self.launched.append({})
        for job in jobs:
            typed = dict(line.split("=", 1) for line in job)
            images, run = typed["trainer.max_images"], RunFolder(self.folder / typed["hydra.sweep.subdir"].strip('"'))
            self.launched[-1][typed["model"]] = None if images == "null" else int(images)
            length = 32 * int(typed["trainer.max_steps"]) if images == "null" else int(images)
            number = self.numbers[typed["model"]]
            figure = number - length / 1e6
            trainer = {"max_images": length}
            run.write_config(
                {"run_dir": str(run.path), "model": {}, "seed": 0, "trainer": trainer},
                {"overrides.yaml": f"[model={typed['model']}]"},
            )
            ended = {"status": "finished", "objective": figure, "final": {"loss/generator": figure}}
            failed = {"status": "failed", "reason": "FloatingPointError: NaN"}
            account = {"step": 1, "images_seen": length, "seconds": 1.0, "images_per_second": 100.0 * number}
            run.write_summary(account | (failed if figure > 10 else ended))

    def race(self, *typed, kind=race.RaceSweeper, more=(), **options):
        """The record of a race."""
        config = OmegaConf.create(
            {
                "hydra": {"sweep": {"dir": str(self.folder)}, "launcher": {"_target_": "BasicLauncher"}},
                "objective": "loss/generator",
                "typed": list(typed),
                **dict(more),
            }
        )
        given = {"images": 4000, "minutes": None, "eta": 2, "rungs": None, "candidates": None} | options
        sweeper = kind(**given, direction="minimize")
        sweeper.setup(hydra_context=Mock(spec=HydraContext, config_loader=Mock()), task_function=print, config=config)
        sweeper.sweep([])
        return race_record.read(self.folder)


@pytest.fixture
def course(tmp_path, monkeypatch):
    return Course(tmp_path, monkeypatch)


def test_the_better_half_goes_on_to_twice_the_length(course, capsys):
    found = course.race(MODELS)
    assert course.launched == [
        {"gan": 2000, "hinge": 2000, "lsgan": 2000, "minimax": 2000},
        {"gan": 4000, "hinge": 4000},
    ]
    assert found.winner == "model=gan"
    assert (course.race(MODELS), len(course.launched)) == (found, 2)
    assert write_results(course.folder)
    answer = [
        "winner: model=gan: loss/generator 0.996 after 4,000 images",
        "it took 12,000 images, 0:00:04 of training; all 4 candidates to the end are 16,000 images, and this is 75% of "
        "them",
    ]
    page, printed = Page(course.folder / "results.html").text, capsys.readouterr().out
    assert "The objective by setting" not in page  # it would compare runs of different lengths
    for line in answer:
        assert line in printed
        assert line in page
    for outcome in ("the winner", "number 2 of 2 after 4,000 images", "number 4 of 4 after 2,000 images"):
        assert outcome in page


def test_a_race_goes_on_with_the_jobs_that_have_not_ended(course):
    course.launcher.launch.side_effect = KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        course.race(MODELS)
    course.launch([["model=hinge", "trainer.max_images=2000", "hydra.sweep.subdir=model=hinge"]], 0)
    assert not write_results(course.folder)
    course.launcher.launch.side_effect = course.launch
    course.race(MODELS)
    assert course.launched[1:] == [{"gan": 2000, "lsgan": 2000, "minimax": 2000}, {"gan": 4000, "hinge": 4000}]


def test_a_better_figure_of_a_shorter_run_does_not_win(course, capsys):
    def worse_when_longer(jobs, initial_job_idx):
        course.numbers |= {"gan": 5.0, "hinge": 6.0} if initial_job_idx else {}
        course.launch(jobs, initial_job_idx)

    course.launcher.launch.side_effect = worse_when_longer
    assert course.race(MODELS).winner == "model=gan"
    write_results(course.folder)
    assert "best: model=gan, loss/generator 4.996\n" in capsys.readouterr().out


def test_a_failed_candidate_loses_with_its_reason(course):
    course.numbers["gan"] = 20.0
    found = course.race(MODELS)
    assert (found.winner, course.launched[1]) == ("model=hinge", {"hinge": 4000, "lsgan": 4000})
    assert standings.outcome(found, "model=gan") == "it failed: FloatingPointError: NaN"
    assert write_results(course.folder)


def test_if_all_fail_the_rung_is_tried_again(course):
    course.numbers |= dict.fromkeys(course.numbers, 20.0)
    with pytest.raises(UserError, match=r"rung 1: all of its candidates failed\. The first one: FloatingPointError"):
        course.race(MODELS)
    course.numbers["lsgan"] = 1.0
    assert course.race(MODELS).winner == "model=lsgan"


def test_minutes_become_as_many_images_as_each_trains_on_in_that_time(course):
    found = course.race(MODELS, minutes=0.5)
    assert course.launched == [
        dict.fromkeys(course.numbers),
        {"gan": 1500, "hinge": 3000, "lsgan": 4500, "minimax": 6000},
        {"gan": 3000, "hinge": 6000},
    ]
    assert standings.answer(found)[0] == "winner: model=gan: loss/generator 0.997 after 0.5 minutes"
    assert not (course.folder / ".trials").exists()


def test_all_seeds_of_a_candidate_count(course):
    found = course.race("model=gan,hinge", "seed=0,1", "network=mlp")
    assert found.candidates["model=hinge"].folders == ["model=hinge,seed=0", "model=hinge,seed=1"]
    assert found.rungs[-1]["model=hinge"].images == 8000


@pytest.mark.parametrize(
    ("typed", "options", "message"),
    [
        ((), {"eta": 1}, "hydra.sweeper.eta=1: expected a whole number, at least 2"),
        ((), {"minutes": 0}, "hydra.sweeper.minutes=0: expected a number above 0"),
        ((), {"candidates": ["gan"]}, "hydra.sweeper.candidates: 1. A race needs two or more"),
        ((), {"candidates": ["gan", "model=gan"]}, "hydra.sweeper.candidates: 'model=gan' is there twice"),
        ((), {"candidates": ["gan", "model=lsgan,gan"]}, "'model=lsgan,gan': expected overrides with one value each"),
        (("trainer.max_steps=9", MODELS), {}, "trainer.max_steps=9: a race sets the lengths of its runs"),
        (("model=gan",), {"candidates": ["gan", "lsgan"]}, "model=gan: it has no effect, since each candidate has a"),
        (("model.optimizer.lr=interval(1,2)",), {}, r"model.optimizer.lr=interval\(1,2\): a race needs values"),
    ],
)
def test_mistakes(course, typed, options, message):
    with pytest.raises(UserError, match=message):
        course.race(*typed, **options)
    assert not course.launched


def test_a_mistyped_key_of_a_candidate_costs_no_training(command, tmp_path):
    outcome = command("unused", *RACE, "hydra.sweeper.candidates=[gan,'model.lr=1']", place(tmp_path / "sweep"))
    assert outcome.code == 1
    assert "Could not override 'model.lr'" in outcome.output
    assert not list(tmp_path.glob("sweep/*/"))


def test_another_command_does_not_go_on(course):
    course.race(MODELS)
    with pytest.raises(UserError, match=r"candidate model=lsgan: \['model=lsgan'\] there, None here") as caught:
        course.race("model=gan,hinge", images=7)
    assert "hydra.sweeper.images: 4000 there, 7 here" in str(caught.value)


@pytest.mark.parametrize(
    "damage", [{"sizes": "x"}, {"rungs": [{"y": {}}]}, {"candidates": {}}, {"lengths": [1e99, 1]}, {"note": 7}]
)
def test_a_damaged_record_is_told(tmp_path, damage):
    candidate = race_record.Candidate(["model=gan"], ["model=gan"], [1, 2])
    found = race_record.Race({}, "loss/generator", False, "images", [1.0, 2.0], [1, 1], {"model=gan": candidate})
    found.write(tmp_path)
    assert race_record.read(tmp_path) == found
    path = tmp_path / race_record.FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | damage))
    with pytest.raises(UserError, match=r"race\.json is damaged"):
        race_record.read(tmp_path)


def test_a_run_that_goes_by_its_own_share_cannot_get_longer():
    schedules = {"optimizer": {"lr": {"_target_": "gan_lightning.schedules.Linear", "unit": "run"}}}
    with pytest.raises(
        UserError, match=r"model\.schedules\.optimizer\.lr goes by the share .* hydra\.sweeper\.rungs=1"
    ):
        require_any_length({"model": {"schedules": schedules}})


# With training


SHORT = (*RACE, "callbacks.checkpoints.every_n_steps=8", "hydra.sweeper.images=1280")


@pytest.mark.slow
def test_a_killed_race_goes_on_and_its_winner_is_as_if_trained_at_once(command, train_apart, tmp_path):
    sweep = tmp_path / "sweep"
    kill = "+callbacks.kill={_target_: helpers.KillAt, step: 30, once: '" + f"{tmp_path}/killed" + "'}"
    line = ("unused", *SHORT, "model=gan_r1,hinge,lsgan", kill, place(sweep))
    died = train_apart(*line)
    assert died.code == -signal.SIGKILL
    assert "rung 2 of 2: 2 candidates to 1,280 images" in died.output
    before = json.loads((sweep / "race.json").read_text())["rungs"]
    assert len(before) == 1
    outcome = command(*line)
    assert outcome.code == 0, outcome.output
    assert "[4/5]" in outcome.output
    assert "[1/5]" not in outcome.output
    record = json.loads((sweep / "race.json").read_text())
    assert record["rungs"][0] == before[0]
    winner = re.search(r"winner: model=(\w+): loss/generator", outcome.output)[1]
    once = tmp_path / "once"
    typed = yaml.safe_load((sweep / f"model={winner}" / ".hydra" / "overrides.yaml").read_text())
    assert "trainer.max_images=1280" in typed
    assert command("once", *typed, "hydra.mode=RUN").code == 0
    assert training_differences(Outcome(0, "", sweep / f"model={winner}"), Outcome(0, "", once)) == []


@pytest.mark.slow
def test_refused_and_failed_candidates_lose_in_a_race_of_two_at_a_time(train_apart, tmp_path):
    """sngan's learning rate goes by the share of the run; the other one becomes NaN."""
    sweep = tmp_path / "sweep"
    candidates = "hydra.sweeper.candidates=[gan,lsgan,sngan,'model=gan model.optimizer.lr=1e30',nope]"
    options = ("hydra.sweeper.eta=3", place(sweep), *LAUNCHERS["joblib"])
    outcome = train_apart("unused", *SHORT, candidates, *options, timeout=900)
    assert outcome.code == 0, outcome.output
    found = {row["run"]: (row["status"], row["reason"]) for row in rows(sweep)}
    assert {name for name, (status, _) in found.items() if status == "finished"} == {"model=gan", "model=lsgan"}
    assert "a race trains its runs longer and longer" in found["model=sngan"][1]
    assert "not finite" in found["model=gan,lr=1e30"][1]
    assert "there is no such option" in found["model=nope"][1]
    assert "winner: model=" in outcome.output


@pytest.mark.slow
def test_equal_minutes(command, tmp_path):
    sweep = tmp_path / "sweep"
    line = ("unused", *SHORT, "model=gan,wgan_gp", "hydra.sweeper.minutes=0.02", place(sweep))
    outcome = command(*line)
    assert outcome.code == 0, outcome.output
    images = {row["run"]: int(row["images_seen"]) for row in rows(sweep)}
    assert images["model=gan"] > images["model=wgan_gp"] > 0
