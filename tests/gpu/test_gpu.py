"""What only a GPU can show. Nobody has seen these tests on a GPU yet.

They run with `python -m pytest -m gpu`. GAN_LIGHTNING_TEST_ACCELERATOR=cpu runs the same lines on the CPU.
"""

from types import SimpleNamespace

import pytest
import torch

import gan_lightning
from gan_lightning.data import Digits
from gan_lightning.data.sampler import TensorBatches
from gan_lightning.models import finite
from tests.conftest import ACCELERATOR, TINY, WITHOUT_MLP, training_differences
from tests.matrix.test_matrix import VARIANTS

pytestmark = [pytest.mark.gpu, pytest.mark.slow]

ON_GPU = (f"trainer={ACCELERATOR}", *TINY[1:], "network.generator.latent_dim=16")  # InfoGAN's code has 12 numbers
PRECISIONS = ("16-mixed", "bf16-mixed") if ACCELERATOR == "gpu" else ("bf16-mixed",)
"""Lightning has no 16-mixed on the CPU."""


def small(variant) -> tuple[str, ...]:
    """BEGAN has networks of its own."""
    if variant != "began":
        return ("network=mlp", *ON_GPU)
    widths = (f"network.{player}.base_channels=2" for player in ("generator", "discriminator"))
    return (*(option for option in ON_GPU if not option.startswith("network")), *widths)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_trains_and_resumes_to_the_bit(train, variant):
    exact = (*small(variant), f"model={variant}", "trainer.deterministic=true")
    whole = train("whole", *exact, "trainer.max_steps=12")
    assert whole.code == 0, whole.output
    part = train("part", *exact, "trainer.max_steps=7")
    resumed = train("part", f"resume={part.folder}", "trainer.max_steps=12")
    assert resumed.code == 0, resumed.output
    assert training_differences(resumed, whole) == []


def test_images_on_the_device_train_the_same_weights(train, monkeypatch):
    """They go there and back in the middle of an epoch, of 44 batches."""
    copy, places = TensorBatches.to, []
    monkeypatch.setattr(TensorBatches, "to", lambda data, place: places.append(place.type) or copy(data, place))
    exact, on_host = (*small("gan_r1"), "trainer.deterministic=true"), "data.gpu_memory_fraction=0"
    whole = train("whole", *exact, "trainer.max_steps=100")
    goes_on = f"resume={train('part', *exact, on_host, 'trainer.max_steps=20').folder}"
    train("part", goes_on, "data.gpu_memory_fraction=0.25", "trainer.max_steps=60")
    resumed = train("part", goes_on, on_host, "trainer.max_steps=100")
    assert resumed.code == 0, resumed.output
    assert training_differences(resumed, whole) == []
    assert places.count("cuda") == (2 if ACCELERATOR == "gpu" else 0)


def test_a_batch_from_the_device_waits_for_nothing():
    data = Digits([1, 8, 8], batch_size=32)
    data.setup()
    strategy = SimpleNamespace(root_device=torch.device("cuda" if ACCELERATOR == "gpu" else "cpu"))
    data.trainer = SimpleNamespace(global_step=0, global_rank=0, world_size=1, strategy=strategy)
    loader = data.train_dataloader()
    if ACCELERATOR == "gpu":
        torch.cuda.set_sync_debug_mode("error")
    try:
        batches = [data.on_after_batch_transfer(batch, 0) for batch in loader]
    finally:
        if ACCELERATOR == "gpu":
            torch.cuda.set_sync_debug_mode("default")
    assert {images.device.type for images, _ in batches} == {strategy.root_device.type}
    data.trainer.strategy.root_device = torch.device("cpu")
    for here, there in zip(data.train_dataloader(), batches, strict=True):
        assert torch.equal(data.on_after_batch_transfer(here, 0)[0], there[0].cpu())
        assert torch.equal(here[1], there[1].cpu())


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("variant", ["gan_r1", "wgan_gp", "infogan"])
def test_mixed_precision_trains(train, variant, precision):
    run = train("run", *ON_GPU, f"model={variant}", f"trainer.precision={precision}", "trainer.max_steps=20")
    assert run.code == 0, run.output
    assert all(value.isfinite().all() for value in run.checkpoint["state_dict"].values())


def test_the_average_and_the_metrics(train):
    measured = ("metrics=classifier", "callbacks.evaluation.num=100", "callbacks.ema.decay=0.9")
    run = train("run", *ON_GPU, *measured, "trainer.max_steps=10")
    assert run.code == 0, run.output
    assert run.summary["final"]["metric/fid"] > 0
    model = gan_lightning.load(run.folder)
    assert not torch.equal(model.sample(4), model.sample(4, raw=True))


def test_a_loss_that_is_not_finite_stops_when_it_is_read(train, monkeypatch):
    guards = []
    made = finite.DeviceFiniteGuard.__init__
    monkeypatch.setattr(finite.DeviceFiniteGuard, "__init__", lambda self, *more: guards.append(made(self, *more)))
    exploding = ("network.discriminator._target_=helpers.ExplodingDiscriminator", "+network.discriminator.call=80")
    options = tuple(option for option in WITHOUT_MLP if not option.startswith("trainer"))
    run = train("run", f"trainer={ACCELERATOR}", *options, *exploding, "trainer.max_steps=60")
    assert run.code == 1
    assert "loss is not finite at batch" in run.output
    assert len(guards) == (ACCELERATOR == "gpu")


@pytest.mark.skipif(ACCELERATOR == "gpu" and torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_two_processes_are_one(train):
    same = ("network.generator.batch_norm=false", "model.optimizer.lr=2e-4", "trainer.max_steps=20")
    alone, together = train("alone", *ON_GPU, *same), train("together", *ON_GPU, *same, "trainer.devices=2")
    assert together.code == 0, together.output
    for name, value in alone.checkpoint["state_dict"].items():
        torch.testing.assert_close(together.checkpoint["state_dict"][name], value, rtol=1e-3, atol=1e-4)
