"""What a run leaves, loaded again: the model of a folder or a checkpoint, the network of a safetensors file."""

import json
import os
import stat
import threading
from importlib.metadata import version

import pytest
import torch

import gan_lightning
from gan_lightning.callbacks import Writer
from gan_lightning.errors import UserError
from gan_lightning.tensor_file import load_tensors, save_tensors
from gan_lightning.training.checkpoint import WriterCheckpointIO
from gan_lightning.training.experiment import Experiment
from tests.training.test_experiment import configured

EMA = {"_target_": "gan_lightning.callbacks.GeneratorEMA", "decay": 0.5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of a run with averaged weights, written where everybody may read."""
    folder = tmp_path_factory.mktemp("run")
    config = configured(folder)
    config["callbacks"]["ema"] = EMA
    before = os.umask(0o022)
    try:
        Experiment(config, folder).fit()
    finally:
        os.umask(before)
    return folder


def edited(folder, tmp_path, **changes):
    """The run's checkpoint with other entries."""
    saved = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    torch.save(saved | changes, tmp_path / "edited.ckpt")
    return tmp_path / "edited.ckpt"


def test_a_folder_and_its_checkpoint_are_one_model(folder):
    for place in (folder, str(folder / "checkpoints" / "last.ckpt")):
        model = gan_lightning.load(place)
        saved = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        assert not model.training
        assert model.generator_ema is not None
        assert all(torch.equal(weight, saved[name]) for name, weight in model.state_dict().items())


def test_the_networks_are_loaded_by_what_their_files_say(folder):
    model, z = gan_lightning.load(folder), torch.randn(3, 4)
    generator, discriminator = (
        gan_lightning.load(folder / "checkpoints" / f"{name}.safetensors") for name in ("generator", "discriminator")
    )
    with torch.no_grad():
        images = generator(z)
        assert torch.equal(images, model.generator_ema(z))
        assert not torch.equal(images, model.generator(z))
        assert torch.equal(discriminator(images), model.discriminator(images))
    assert not generator.training


def test_what_a_safetensors_file_says(folder):
    for name, weights in (("generator", "ema"), ("discriminator", "raw")):
        path = folder / "checkpoints" / f"{name}.safetensors"
        _, said = load_tensors(path)
        assert json.loads(said.pop("network"))["_target_"].startswith("gan_lightning.networks.MLP")
        assert said == {"weights": weights, "step": "4", "gan_lightning": version("gan_lightning")}
        assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_safetensors_file_that_says_nothing(tmp_path):
    save_tensors({"weight": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(UserError, match="does not say what network it belongs to"):
        gan_lightning.load(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"_target_": "os.system", "command": "true"}, "os.system is not a class that a configuration may name"),
        ({"_unknown_": "my_package.Net"}, r"these parts do not say how they were made: .my_package.Net"),
        ({"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 3}, "does not fit the networks"),
    ],
)
def test_a_safetensors_file_that_says_what_cannot_be_built(tmp_path, network, message):
    save_tensors({"weight": torch.zeros(1)}, tmp_path / "x.safetensors", {"network": json.dumps(network)})
    with pytest.raises(UserError, match=message):
        gan_lightning.load(tmp_path / "x.safetensors")


def test_a_part_that_did_not_say_how_it_was_made(folder, tmp_path):
    model = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["model"]
    path = edited(folder, tmp_path, model=model | {"generator": {"_unknown_": "my_package.Net"}})
    with pytest.raises(UserError, match=r"do not say how they were made: generator \(my_package.Net\).*Described"):
        gan_lightning.load(path)


@pytest.mark.parametrize(
    "model",
    [
        *("sngan", "biggan"),
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("projection", "began", "acgan", "infogan")),
    ],
)
def test_the_networks_of_a_variant_are_loaded_by_what_their_files_say(train, model):
    off = (f"callbacks.{name}=null" for name in ("progress", "samples", "report"))
    small = ("trainer=cpu", *off, "data.limit=64")
    run = train("run", f"model={model}", *small, "data.batch_size=16", "model.n_critic=1", "trainer.max_steps=2")
    assert run.code == 0, run.output
    trained = gan_lightning.load(run.folder)
    for name in ("generator", "discriminator"):
        network = gan_lightning.load(run.folder / "checkpoints" / f"{name}.safetensors")
        expected = trained.generator_ema if name == "generator" else trained.discriminator
        assert all(torch.equal(weight, network.state_dict()[key]) for key, weight in expected.state_dict().items())


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("a", "its 'model' is of type str"),
        ({"_target_": "torch.nn.Linear", "in_features": 1, "out_features": 1}, "describes a Linear"),
        ({"_target_": "gan_lightning.models.GAN", "_partial_": True}, "describes a partial"),
        ({"_target_": "gan_lightning.models.GAN", "generator": 3, "discriminator": 3}, "cannot be built"),
    ],
)
def test_a_description_that_is_none(folder, tmp_path, model, message):
    with pytest.raises(UserError, match=message):
        gan_lightning.load(edited(folder, tmp_path, model=model))


def test_a_checkpoint_of_an_earlier_version_is_told_from_a_foreign_one(folder, tmp_path):
    saved = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    saved.pop("model")
    torch.save(saved, tmp_path / "earlier.ckpt")
    with pytest.raises(UserError, match="written by an earlier version"):
        gan_lightning.load(tmp_path / "earlier.ckpt")


def test_a_checkpoint_is_removed_after_those_before_are_written(tmp_path):
    writer, hold, path = Writer(), threading.Event(), tmp_path / "old.ckpt"
    files = WriterCheckpointIO(writer)
    writer.submit(lambda: hold.wait(20))
    files.save_checkpoint({"state_dict": {}}, path)
    files.remove_checkpoint(path)
    assert not path.exists()
    hold.set()
    writer.wait()
    assert not path.exists()
    writer._end()
