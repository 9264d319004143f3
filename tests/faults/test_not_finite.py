"""Samples and features that are not finite are told, and never measured or shown as black pictures."""

import pytest
import torch

import gan_lightning
from gan_lightning.cli import evaluate, generate
from gan_lightning.evaluation.features import Features
from gan_lightning.evaluation.metrics import fid, metrics
from gan_lightning.models.rebuild import read
from gan_lightning.training.checkpoint import write_checkpoint
from tests.conftest import TINY

RUN = (*TINY, "trainer.max_steps=2", "callbacks.ema=null")


@pytest.fixture
def broken(trained, tmp_path):
    """A run whose generator draws NaN."""
    run = trained(*RUN).copy(tmp_path / "run")
    path = run.folder / "checkpoints" / "last.ckpt"
    checkpoint = read(path)
    weights = checkpoint["state_dict"]
    name = next(name for name in reversed(weights) if name.startswith("generator."))
    weights[name] = torch.full_like(weights[name], torch.nan)
    write_checkpoint(checkpoint, path)
    return run.folder


@pytest.mark.parametrize("main", [evaluate.main, generate.main])
def test_a_generator_that_draws_nan_is_told_in_one_line(broken, tmp_path, main):
    out = tmp_path / ("x.json" if main is evaluate.main else "x.png")
    with pytest.raises(SystemExit, match=r"^error: the generator's samples are not finite: \d+ of \d+ contain NaN"):
        main([str(broken), "--num", "64", "--out", str(out)])
    assert not out.exists()


def test_its_samples_are_refused_from_python(broken):
    with pytest.raises(FloatingPointError, match="4 of 4 contain NaN or infinity"):
        gan_lightning.load(broken).sample(4)


def test_in_training_the_message_names_the_batch(train):
    spoil = ("callbacks.ema._target_=helpers.SpoilsGenerator", "~callbacks.ema.decay", "+callbacks.ema.step=3")
    measured = ("metrics=random", "callbacks.evaluation.num=4", "callbacks.evaluation.every_n_steps=1")
    outcome = train("run", *TINY, "trainer.max_steps=6", *measured, *spoil)
    assert outcome.code == 1
    assert "the generator's samples are not finite after batch 3: 4 of 4" in outcome.output
    assert outcome.summary["status"] == "failed"


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("side", [0, 1])
def test_features_that_are_not_finite_have_no_fid(value, side):
    """LAPACK would end the process: seen with 128 dimensions."""
    clouds = [torch.randn(200, 128), torch.randn(200, 128)]
    clouds[side][7, 5] = value
    with pytest.raises(FloatingPointError, match="the features of 1 of 200 images are not finite"):
        fid(*clouds)
    with pytest.raises(FloatingPointError, match="the features of 1 of 200 images are not finite"):
        metrics(*(Features(cloud, None) for cloud in clouds), seed=0)


def test_logits_that_are_not_finite_are_told():
    with pytest.raises(FloatingPointError, match="1 of 2 images"):
        Features(torch.zeros(2, 3), torch.tensor([[0.0, 1.0], [0.0, torch.nan]]))
