import json
from unittest.mock import Mock

import pytest
import torch
from lightning import Trainer
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan_lightning import rng
from gan_lightning.callbacks import SurfacePlot
from gan_lightning.data import Gaussians2D
from gan_lightning.models import GAN
from gan_lightning.training import checkpoint
from tests.conftest import refusal, training_differences

SMALL = (
    *("experiment=gaussians_grid", "trainer=cpu", "callbacks.progress=null", "callbacks.video=null"),
    *("network.generator.hidden_dims=[8]", "network.discriminator.hidden_dims=[8]", "network.generator.latent_dim=4"),
    *("data.batch_size=64", "callbacks.samples.num=500", "callbacks.samples.every_n_steps=4", "trainer.max_steps=10"),
)


@pytest.mark.slow
def test_pictures_and_metrics(train):
    run = train("run", *SMALL, "objective=metric/high_quality", "callbacks.checkpoints.monitor=metric/modes")
    assert run.code == 0, run.output
    events = EventAccumulator(str(run.folder)).Reload()
    metrics = {name: {e.step: e.value for e in events.Scalars(f"metric/{name}")} for name in SurfacePlot.METRICS}
    assert [list(values) for values in metrics.values()] == [[4, 8, 10]] * 2
    model = checkpoint.load_model(checkpoint.locate(str(run.folder)))
    samples = model.sample(500, seed=rng.mix("grid", 0))
    data = Gaussians2D(layout="grid")
    final = run.summary["final"]
    assert final["metric/modes"] == metrics["modes"][10] == data.modes_covered(samples)
    assert final["metric/high_quality"] == pytest.approx(metrics["high_quality"][10]) == data.high_quality(samples)
    assert run.summary["objective"] == final["metric/high_quality"]
    assert run.summary["best"]["metric"] == "metric/modes"
    pictures = sorted(path.name for path in (run.folder / "samples").glob("*.png"))
    assert pictures == ["real.png", *(f"step_{step:08d}.png" for step in (0, 4, 8, 10))]


def test_the_surface_is_ds(tmp_path):
    """Dark where a discriminator of our own is large: to the right."""

    class Right(torch.nn.Module):
        def forward(self, x, condition=None):
            assert not self.training
            return x[:, 0]

    class Here(torch.nn.Module):
        latent_dim = 1

        def forward(self, z, condition=None):
            return torch.zeros(len(z), 2)

    model = GAN(Here(), Right())
    trainer = Mock(Trainer, datamodule=Gaussians2D(), global_step=3)
    picture = SurfacePlot(str(tmp_path), num=64).paint(trainer, model)
    assert model.discriminator.training
    inside = picture[:, 60:440, 210:640].mean(0)  # the axes, without what is around
    left, middle, right = (inside[:, columns].mean() for columns in (slice(40), slice(180, 220), slice(-40, None)))
    assert left > middle + 0.2 > right + 0.4


@pytest.mark.slow
def test_training_is_not_disturbed(train):
    pictured = train("pictured", *SMALL)
    plain = train("plain", *SMALL, "callbacks.samples=null")
    assert training_differences(pictured, plain) == []


@pytest.mark.slow
def test_two_processes_find_the_same(train_apart):
    run = train_apart("run", *SMALL, "trainer.devices=2", "objective=metric/modes")
    assert run.code == 0, run.output
    assert json.loads((run.folder / "summary.json").read_text())["objective"] >= 0
    with Image.open(run.folder / "samples" / "step_00000010.png") as picture:
        assert picture.size == (800, 500)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("objective=metric/fid",), "objective=metric/fid: nothing computes it; add metrics=classifier"),
        (
            ("objective=metric/high_quality", "callbacks.samples=null"),
            "objective=metric/high_quality: nothing computes it; add experiment=gaussians_ring",
        ),
        (("data.extent=1.5",), "data.extent=1.5: MLPGenerator ends in tanh"),
        (("data.layout=line",), "data.layout='line': expected"),
        (("data.std=-1",), "data.std=-1: expected a number above 0, or null"),
    ],
)
def test_refused(options, message):
    assert message in refusal("experiment=gaussians_ring", *SMALL[1:], *options)


def test_other_data_is_refused(train):
    outcome = train("run", "experiment=gaussians_ring", *SMALL[1:], "data=digits")
    assert outcome.code == 1
    assert "callbacks.samples: SurfacePlot needs data=gaussians_2d, not Digits" in outcome.output
