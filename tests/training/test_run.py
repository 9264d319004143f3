"""What a run leaves, and what its metrics say."""

import re
import subprocess
import sys
from pathlib import Path

import lightning
import pytest
import torch
import yaml
from PIL import Image
from safetensors import safe_open
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan_lightning.data import Digits
from gan_lightning.models import GAN
from gan_lightning.networks import MLPDiscriminator, MLPGenerator
from tests.conftest import PROJECT, TINY, training_differences

EXPERIMENTS = [
    path.stem if path.stem == "vanilla_small_mnist" else pytest.param(path.stem, marks=pytest.mark.slow)
    for path in sorted((PROJECT / "conf" / "experiment").glob("*.yaml"))
]
PLAYERS = ("generator", "discriminator")
COLORED_DIGITS = ("data=digits", "data.image_shape=[3,32,32]", "data.batch_size=16")
SMALLER = {
    "biggan_cifar10": (
        *COLORED_DIGITS,
        *("network.generator.channels=[8,8,8]", "network.discriminator.channels=[8,8,8,8]"),
    ),
    "biggan_small": ("data=digits", "data.image_shape=[1,32,32]", "data.batch_size=16"),
    "cgan_tags": (
        *("data.count=64", "data.image_shape=[3,32,32]", "network.generator.channels=[2,3,3]"),
        *("network.discriminator.hidden_dim=8", "network.discriminator.channels=[4,4]"),
    ),
    "cgan_tags_small": ("data.count=64",),
    "r3gan_cifar10": (
        *(*COLORED_DIGITS, "network.generator.latent_dim=8"),
        *(f"network.{player}.{size}" for player in PLAYERS for size in ("channels=[8,8,8,8]", "blocks=1")),
    ),
    "sagan": (
        *COLORED_DIGITS,
        *("network.generator.channels=[8,8,8]", "network.discriminator.channels=[8,8,8,8]"),
    ),
    "stylegan2_cifar10": (
        *(*COLORED_DIGITS, "network.generator.latent_dim=8"),
        *(f"network.{player}.channels=[8,8,8,8]" for player in PLAYERS),
    ),
    "stylegan2_small": (
        *("data=digits", "data.image_shape=[1,16,16]", "data.batch_size=16"),
        *(f"network.{player}.base_channels=4" for player in PLAYERS),
    ),
}
"""What a test of two steps can do without."""
GRIDS = ("callbacks.samples.every_n_steps=4", "trainer.log_every_n_steps=5")


def events(folder: Path) -> EventAccumulator:
    accumulator = EventAccumulator(str(folder), size_guidance={"images": 0, "scalars": 0})
    return accumulator.Reload()


WITH_PICTURES = tuple(option for option in TINY if "samples" not in option)


@pytest.fixture(scope="module")
def pictured(trained):
    return trained(*WITH_PICTURES, *GRIDS, "trainer.max_steps=10")


@pytest.fixture(scope="module")
def two(trained):
    """A run of two batches."""
    return trained(*TINY, "trainer.max_steps=2")


@pytest.fixture(scope="module")
def seeded(trained):
    """Two runs of five batches that differ in the seed."""
    return [trained(*TINY, "trainer.max_steps=5", f"seed={seed}") for seed in (1, 2)]


def test_the_run_folder(pictured):
    files = {str(path.relative_to(pictured.folder)) for path in pictured.folder.rglob("*") if path.is_file()}
    expected = {
        *(".hydra/config.yaml", ".hydra/overrides.yaml", "config.yaml", "summary.json"),
        *(
            "checkpoints/last.ckpt",
            "checkpoints/generator.safetensors",
            "checkpoints/discriminator.safetensors",
        ),
        *(f"samples/step_{step:08d}.png" for step in (0, 4, 8, 10)),
        "samples/real.png",
    }
    assert expected <= files
    assert not [name for name in files if name.endswith(".part")]


def test_the_summary(pictured):
    summary = pictured.summary
    assert summary["status"] == "finished"
    assert summary["step"] == 10
    assert summary["images_seen"] == 320
    assert summary["images_per_second"] == pytest.approx(320 / summary["seconds"], rel=1e-2)
    assert summary["seed"] == 0
    assert summary["versions"]["torch"] == torch.__version__.split("+")[0]
    terms = {name: value for name, value in summary["final"].items() if name.startswith("terms/discriminator")}
    assert summary["final"]["loss/discriminator"] == pytest.approx(sum(terms.values()), rel=1e-5)
    assert set(terms) == {f"terms/discriminator_{name}" for name in ("real", "fake", "r1")}


def test_the_last_words_name_the_next_commands(pictured):
    for command in ("tensorboard --logdir", "gan-generate", "gan-train resume="):
        assert command in pictured.output


def test_tensorboard(pictured):
    log = events(pictured.folder)
    for tag in (
        *("loss/discriminator", "loss/generator", "score/real", "score/fake"),
        *("lr/discriminator", "lr/generator", "time/epoch"),
    ):
        assert sorted({event.step for event in log.Scalars(tag)}) == [5, 10], tag
    assert [event.step for event in log.Images("samples")] == [0, 4, 8, 10]
    assert log.Tags()["images"] == ["samples", "real"]
    config = log.Tensors("config/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "image_shape" in config
    assert "_hparams_/session_start_info" in log.summary_metadata
    assert log.Scalars("loss/generator")[-1].value == pytest.approx(pictured.summary["final"]["loss/generator"])


@pytest.mark.parametrize("n_critic", [pytest.param(1, marks=pytest.mark.slow), 5])
def test_ten_steps_are_ten_batches(train, n_critic):
    outcome = train(
        "run",
        *WITH_PICTURES,
        *("trainer.max_steps=10", "trainer.log_every_n_steps=1", f"model.n_critic={n_critic}"),
        *("callbacks.samples.every_n_steps=10", "callbacks.checkpoints.keep_every_n_steps=5"),
    )
    assert outcome.checkpoint["global_step"] == 10
    assert sorted(path.name for path in (outcome.folder / "checkpoints").glob("*.ckpt")) == [
        *("last.ckpt", "step_00000005.ckpt", "step_00000010.ckpt")
    ]
    assert (outcome.folder / "samples" / "step_00000010.png").exists()
    assert sorted({event.step for event in events(outcome.folder).Scalars("loss/discriminator")}) == list(range(1, 11))


def test_scores_are_mean_sigmoids_of_the_logits(train):
    outcome = train("run", *TINY, "trainer.max_steps=3", "model=gan")
    final = outcome.summary["final"]
    assert 0 < final["score/fake"] < 1
    # log(1 - D) averages to -fake; Jensen bounds it by the mean score, tightly for so young a D
    assert final["terms/discriminator_fake"] == pytest.approx(
        -torch.log(torch.tensor(1 - final["score/fake"])).item(), abs=1e-2
    )


def test_checkpoints_hold_plain_containers_only(two):
    checkpoint = two.checkpoint  # read with weights_only=True
    assert checkpoint["config"]["model"]["_target_"] == "gan_lightning.models.GAN"
    assert len(checkpoint["optimizer_states"]) == 2
    assert any(name.startswith("generator_ema.") for name in checkpoint["state_dict"])


def test_exported_weights_are_the_checkpoints(two):
    for name, prefix in (("generator", "generator_ema."), ("discriminator", "discriminator.")):
        with safe_open(two.folder / "checkpoints" / f"{name}.safetensors", "pt") as file:
            for key in file.keys():  # noqa: SIM118
                assert torch.equal(file.get_tensor(key), two.checkpoint["state_dict"][prefix + key])


def test_the_configuration_is_resolved(seeded):
    text = (seeded[1].folder / "config.yaml").read_text()
    assert "${" not in text
    assert yaml.safe_load(text)["data"]["seed"] == 2


def test_the_seed_decides_everything(train, seeded):
    again = train("again", *TINY, "trainer.max_steps=5", "seed=1")
    assert training_differences(again, seeded[0]) == []
    assert training_differences(again, seeded[1]) != []


def test_pictures_change_no_metric(train, pictured):
    plain = train("plain", *TINY, "trainer.max_steps=10")
    assert plain.summary["final"] == pictured.summary["final"]


def test_the_objective_is_returned_and_written(train):
    outcome = train("run", *TINY, "trainer.max_steps=5", "objective=loss/generator")
    assert outcome.summary["objective"] == outcome.summary["final"]["loss/generator"]
    wrong = train("other", *TINY, "trainer.max_steps=5", "objective=los/generator")
    assert wrong.code == 1
    assert "objective=los/generator: nothing of that name was logged" in wrong.output
    assert wrong.summary["status"] == "failed"  # what was trained is kept all the same
    assert (wrong.folder / "checkpoints" / "generator.safetensors").exists()


def test_a_folder_that_holds_a_run_is_not_overwritten(train, two, tmp_path):
    first = two.copy(tmp_path / "run")
    again = train("run", *TINY, "trainer.max_steps=4")
    assert again.code == 1
    assert "holds a run already" in again.output
    assert first.summary["step"] == 2


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_trains_two_steps(train, experiment, mnist_root):
    root = (f"data.root={mnist_root}",) if "mnist" in experiment else ()
    smaller = SMALLER.get(experiment, ())
    outcome = train("run", f"experiment={experiment}", *root, *smaller, "trainer=cpu", "trainer.max_steps=2")
    assert outcome.code == 0, outcome.output
    assert outcome.summary["step"] == 2


def test_a_grid_is_an_enlarged_picture_of_25(pictured):
    with Image.open(pictured.folder / "samples" / "step_00000010.png") as picture:
        assert picture.size == (4 * (5 * 30 + 2), 4 * (5 * 30 + 2))
        assert picture.getextrema()[0][1] > 50


@pytest.mark.parametrize("option", [["--help"], pytest.param(["--cfg", "job"], marks=pytest.mark.slow)])
def test_help_does_not_import_torch(option):
    command = [sys.executable, "-X", "importtime", "train.py", *option]
    result = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert "model" in result.stdout
    assert not re.search(r"\| +torch$", result.stderr, re.MULTILINE)


@pytest.mark.slow
def test_a_sweep_makes_one_folder_a_job(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = ("model.optimizer.lr=1e-4,2e-4", "model.optimizer.betas=[0.5,0.999],[0.0,0.9]")
    outcome = command("unused", "-m", *TINY, "trainer.max_steps=2", *values)
    assert outcome.code == 0, outcome.output
    (sweep,) = (tmp_path / "logs" / "sweeps").iterdir()
    for lr in ("0.0001", "0.0002"):
        for betas in ("[0.5,0.999]", "[0.0,0.9]"):
            config = yaml.safe_load((sweep / f"betas={betas},lr={lr}" / "config.yaml").read_text())
            assert config["model"]["optimizer"]["lr"] == float(lr)
            assert config["model"]["optimizer"]["betas"] == yaml.safe_load(betas)


@pytest.mark.slow
def test_the_sweep_of_tag_widths(command, tmp_path):
    small = ("data.count=64", "callbacks.samples=null", "callbacks.progress=null", "trainer.max_steps=1")
    options = ("experiment=cgan_tags_small", "trainer=cpu", *small, f"hydra.sweep.dir={tmp_path}/sweep")
    outcome = command("unused", "sweep=tag_widths", *options)
    assert outcome.code == 0, outcome.output
    configs = [yaml.safe_load(path.read_text()) for path in (tmp_path / "sweep").glob("*/config.yaml")]
    widths = {
        (c["network"]["generator"]["latent_dim"], c["network"]["generator"]["label_embedding_dim"]) for c in configs
    }
    assert len(configs) == len(widths) == 9


def test_a_model_can_be_fitted_twice():
    model = GAN(MLPGenerator(4, [1, 8, 8], [8]), MLPDiscriminator([1, 8, 8], [8]))
    for steps in (2, 4):
        runner = lightning.Trainer(max_steps=steps, accelerator="cpu", logger=False, enable_checkpointing=False)
        runner.fit(model, Digits([1, 8, 8]))
        assert runner.global_step == steps


@pytest.mark.slow
def test_a_density_is_drawn_with_minibatch_discrimination(train):
    options = ("experiment=gaussian_1d", "network.discriminator.minibatch=true", "callbacks.video=null")
    outcome = train("run", *options, "trainer=cpu", "trainer.max_steps=2")
    assert outcome.code == 0, outcome.output
    assert (outcome.folder / "samples" / "density.png").exists()


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_network_of_ones_own_group(command, train_apart, tmp_path, processes):
    (tmp_path / "my_conf" / "network").mkdir(parents=True)
    (tmp_path / "my_conf" / "network" / "mine.yaml").write_text(
        "generator:\n  _target_: gan_lightning.networks.MLPGenerator\n  latent_dim: 4\n"
        "  image_shape: ${data.image_shape}\n"
        "discriminator: {_target_: helpers.DropoutDiscriminator, image_shape: '${data.image_shape}'}\n"
    )
    options = ("network=mine", "trainer=cpu", "trainer.max_steps=2", "callbacks.progress=null")
    run = command if processes == 1 else train_apart
    outcome = run("run", "--config-dir", str(tmp_path / "my_conf"), *options, f"trainer.devices={processes}")
    assert outcome.code == 0, outcome.output
    assert outcome.summary["step"] == 2


def test_the_logs_are_in_the_run_folder(pictured):
    """TensorBoard shows a run by the name of its folder; both losses are in one chart."""
    names = {path.name for path in pictured.folder.iterdir() if ".tfevents." not in path.name}
    assert names == {".hydra", ".lock", "checkpoints", "config.yaml", "samples", "summary.json"}  # no train.log
    layout = events(pictured.folder).Tensors("custom_scalars__config__")[-1].tensor_proto.string_val[0]
    assert b"^loss/discriminator$" in layout
    assert b"^loss/generator$" in layout
    assert max(events(pictured.folder).Tags()["scalars"]).startswith("time/")
