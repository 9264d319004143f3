"""`sweep=gamma`: what it tries, for which models, and what it answers."""

import re

import pytest
from omegaconf import OmegaConf

from gan_lightning.errors import UserError
from gan_lightning.sweeps.gamma import GammaSweeper, heuristic_gamma
from gan_lightning.sweeps.race_record import Candidate
from tests.conftest import TINY
from tests.sweeps.test_sweeps import place, rows

FACTORS = {"factors": [1, 16], "lr_factors": [0.5, 2]}
RATES = {"optimizer": {"lr": 1e-3}, "generator_optimizer": {"lr": 1e-3}, "discriminator_optimizer": {"lr": 1e-3}}


def sweeper(penalties=("r1",), schedules=(), image_shape=(1, 28, 28), rates=(), **factors):
    """One that is set up for a model with these penalties."""
    found = GammaSweeper(
        **FACTORS | factors, candidates=None, images=1, minutes=None, eta=2, rungs=None, direction="minimize"
    )
    model = {"penalties": {name: {"weight": 1.0} for name in penalties}, "schedules": dict(schedules)}
    config = {"model": model | RATES | dict(rates), "data": {"image_shape": list(image_shape), "batch_size": 64}}
    found._config = OmegaConf.create(config)
    return found


def test_the_rule_is_that_of_the_authors_code():
    """Their cfg=auto at 1024x1024 with 8 GPUs has batches of 32, and gamma 6.5536."""
    assert heuristic_gamma(1024, 1024, 32) == pytest.approx(6.5536)


def test_each_weight_is_tried_with_each_learning_rate():
    weight = "model.penalties.r1.weight"
    assert sweeper().candidates({}) == [
        [f"{weight}={gamma}", f"model.optimizer.lr={lr}"] for gamma in (0.0024, 0.039) for lr in (0.0005, 0.002)
    ]


def test_r3gan_has_one_weight_for_both_penalties_and_a_player_keeps_its_own_rate():
    rates = {"discriminator_optimizer": {"lr": 4e-3}}
    found = sweeper(("r2", "r1"), rates=rates, image_shape=(3, 64, 32)).candidates({})
    assert found[-1] == [
        *("model.penalties.r1.weight=0.1", "model.penalties.r2.weight=0.1"),
        *("model.optimizer.lr=0.002", "model.discriminator_optimizer.lr=0.008"),
    ]


def test_an_answer_at_the_edge_of_what_was_tried_is_told():
    wide = sweeper(factors=[1, 16, 256])
    tried = [Candidate(overrides, [], []) for overrides in wide.candidates({})]
    assert "0.0024 (0.0002 * height * width / batch size, the rule of" in wide.note(None)
    assert ["at the edge" in wide.note(each) for each in (None, *tried)] == [
        False,
        *2 * [True],
        *2 * [False],
        *2 * [True],
    ]
    rates = sweeper(lr_factors=[0.5, 1, 2])
    tried = [Candidate(overrides, [], []) for overrides in rates.candidates({})]
    told = "The best learning rate is at the edge of those tried: hydra.sweeper.lr_factors=[...] tries others."
    assert [told in rates.note(each) for each in tried] == 2 * [True, False, True]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"penalties": ("wgan_gp",)}, r"model\.penalties has no r1, .* model/penalties=r1"),
        ({"penalties": ("r2",)}, r"model\.penalties has no r1"),
        ({"image_shape": (2,)}, r"data\.image_shape=\[2\], data\.batch_size=64: sweep=gamma needs images"),
        ({"factors": [0, 1]}, r"hydra\.sweeper\.factors=\[0, 1\]: expected numbers above 0"),
        (
            {"schedules": {"penalties": {"r1": {"weight": {"_target_": "x"}}}}},
            r"model\.schedules\.penalties\.r1\.weight: ",
        ),
        ({"schedules": {"generator_optimizer": {"lr": "${x}"}}}, r"model\.schedules\.generator_optimizer\.lr: "),
    ],
)
def test_mistakes(setting, message):
    with pytest.raises(UserError, match=message):
        sweeper(**setting).candidates({})


@pytest.mark.slow
def test_it_answers_with_the_overrides_to_use(command, tmp_path):
    sweep = tmp_path / "sweep"
    small = ("hydra.sweeper.images=960", "hydra.sweeper.factors=[16,256,4096]", "callbacks.evaluation.num=50")
    rate = "model.optimizer.lr=2e-3"
    outcome = command("unused", "sweep=gamma", *TINY, *small, rate, "model=r3gan", place(sweep))
    assert outcome.code == 0, outcome.output
    found = {row["run"]: row for row in rows(sweep)}
    assert {float(row["model.optimizer.lr"]) for row in found.values()} == {0.001, 0.002, 0.004}
    assert {row["model.penalties.r2.weight"] for row in found.values()} == {"0.078", "1.3", "20"}
    answer = re.search(r"winner: (.*): metric/fid (\S+) after 960 images", outcome.output)
    assert answer is not None
    winner = next(row for row in rows(sweep) if row["images_seen"] == "960")
    assert answer[1].split() == [
        f"{key}={winner[key]}"
        for key in ("model.penalties.r1.weight", "model.penalties.r2.weight", "model.optimizer.lr")
    ]
    assert "the rule of StyleGAN2-ADA" in (sweep / "results.html").read_text()

    refused = command("unused", "sweep=gamma", "model=wgan_gp", place(tmp_path / "other"))
    assert (refused.code, "model.penalties has no r1" in refused.output) == (1, True)
