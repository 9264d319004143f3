"""`init_from=`: a new run whose networks start with the weights of another model, as far as they fit."""

import shutil
from functools import partial

import pytest
import torch
from PIL import Image
from torch import nn

from gan_lightning.errors import UserError
from gan_lightning.export import save_pretrained
from gan_lightning.models import GAN, SNGAN
from gan_lightning.networks import MLPDiscriminator, MLPGenerator
from gan_lightning.training import initial
from tests.conftest import TINY, Outcome, training_differences

STILL = ("trainer.max_steps=1", "model.optimizer.lr=1e-30", "seed=5")
"""A run whose weights are those that it starts with."""


@pytest.fixture(scope="module")
def source(trained) -> Outcome:
    return trained(*TINY, "trainer.max_steps=20")


def weights(run: Outcome, prefix: str = "") -> dict[str, torch.Tensor]:
    """The weights of a run, without the statistics that every batch changes."""
    found = run.checkpoint["state_dict"].items()
    return {name: w for name, w in found if name.startswith(prefix) and "running" not in name and "num_" not in name}


def test_each_network_starts_with_its_own_weights_and_new_optimizers(train, source):
    new = train("new", *TINY, *STILL, f"init_from={source.folder}")
    assert new.code == 0, new.output
    there, here = weights(source, "generator_ema."), weights(source, "generator.")
    assert not torch.equal(there["generator_ema.layers.0.weight"], here["generator.layers.0.weight"])
    for prefix in ("generator.", "discriminator."):
        for name, weight in weights(new, prefix).items():
            assert torch.equal(weight, source.checkpoint["state_dict"][name]), name
    # The average moves in the first batch, by 1 - 2/11 of the way to G: GeneratorEMA's ramp.
    moved = torch.lerp(here["generator.layers.0.weight"], there["generator_ema.layers.0.weight"], 2 / 11)
    torch.testing.assert_close(weights(new)["generator_ema.layers.0.weight"], moved)
    assert [state["state"][0]["step"] for state in new.checkpoint["optimizer_states"]] == [1, 1]


@pytest.mark.slow
def test_what_does_not_fit_is_listed_and_starts_anew(train, source):
    more = ("network.generator.latent_dim=9", "trainer.max_steps=1")
    new = train("new", *TINY, *more, f"init_from={source.folder}", "model.optimizer.lr=1e-30", "seed=0")
    fresh = train("fresh", *TINY, *more, "model.optimizer.lr=1e-30", "seed=0")
    line = "layers.0.weight: (16, 8) there, (16, 9) here"
    assert f"2 do not fit and start anew or are left out:\n  generator.{line}\n  generator_ema.{line}" in new.output
    assert torch.equal(weights(new)["generator.layers.0.weight"], weights(fresh)["generator.layers.0.weight"])
    assert not torch.equal(weights(new)["generator.layers.2.weight"], weights(fresh)["generator.layers.2.weight"])
    said = new.summary["init_from"]
    assert said["checkpoint"] == str(source.folder / "checkpoints" / "last.ckpt")
    assert said["step"] == 20
    assert said["new"] == [f"generator.{line}", f"generator_ema.{line}"]
    assert said["loaded"] == len(source.checkpoint["state_dict"]) - 2


@pytest.mark.slow
def test_it_is_resumed_exactly_without_the_source(train, source, tmp_path):
    other = source.copy(tmp_path / "other")
    command = (*TINY, f"init_from={other.folder}", "network.generator.latent_dim=9")
    whole = train("whole", *command, "trainer.max_steps=6")
    train("new", *command, "trainer.max_steps=3")
    shutil.rmtree(other.folder)
    resumed = train("new", f"resume={tmp_path / 'new'}", "trainer.max_steps=6")
    assert training_differences(resumed, whole) == []
    assert resumed.summary["init_from"] == whole.summary["init_from"]
    again = ("resume=auto", f"hydra.run.dir={tmp_path / 'new'}")
    assert train("new", *command, "trainer.max_steps=6", *again).code == 0


@pytest.mark.parametrize("kind", ["generator.safetensors", "discriminator.safetensors", "folder"])
def test_an_exported_model(source, tmp_path, kind):
    saved = source.checkpoint
    if kind == "folder":
        pytest.importorskip("huggingface_hub")
        found = initial.read(str(save_pretrained(source.folder, tmp_path / "exported")), {})
        expected = saved["state_dict"]
    else:
        player = kind.partition(".")[0]
        found = initial.read(str(source.folder / "checkpoints" / kind), {"model": saved["model"]})
        exported = "generator_ema." if player == "generator" else "discriminator."  # the average, where there is one
        of_it = {name: weight for name, weight in saved["state_dict"].items() if name.startswith(exported)}
        expected = {name.replace("_ema", ""): weight for name, weight in of_it.items()}
        assert list(found.classes) == [player]
    assert found.weights.keys() == expected.keys()
    assert all(torch.equal(weight, expected[name]) for name, weight in found.weights.items())


def test_a_file_of_no_network_of_this_run(source):
    model = {player: {"_target_": "gan_lightning.networks.Other"} for player in initial.PLAYERS}
    with pytest.raises(UserError, match="it holds a MLPGenerator, and none of this run's networks is one"):
        initial.read(str(source.folder / "checkpoints" / "generator.safetensors"), {"model": model})


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("network=dcgan",), "its generator is a MLPGenerator, and network.generator is a DCGANGenerator: choose net"),
        (
            ("network.discriminator.hidden_dims=[17]",),
            "none of its discriminator's weights fits network.discriminator: set its sizes as there, or take its "
            "generator alone, init_from=",
        ),
    ],
)
def test_another_network_is_refused(train, source, more, message):
    options = [option for option in TINY if "hidden_dims" not in option] if "network=dcgan" in more else TINY
    refused = train("new", *options, *more, f"init_from={source.folder}", "trainer.max_steps=1")
    assert refused.code == 1
    assert message in refused.output
    assert not (refused.folder / "config.yaml").exists()


def test_a_damaged_or_missing_file_is_refused(source, tmp_path):
    spoiled = source.copy(tmp_path / "spoiled").folder / "checkpoints" / "last.ckpt"
    content = bytearray(spoiled.read_bytes())
    content[len(content) // 2] ^= 1
    spoiled.write_bytes(content)
    for place, message in ((spoiled, "is damaged"), (tmp_path / "nothing", "there is no checkpoint at")):
        with pytest.raises(UserError, match=f"init_from={place}: .*{message}"):
            initial.read(str(place), {})


def test_a_branch_has_its_own_weights(train, source):
    refused = train("new", f"branch_from={source.folder}", f"init_from={source.folder}")
    assert "branch_from and init_from: choose one" in refused.output


def networks(width: int) -> tuple[MLPGenerator, MLPDiscriminator]:
    return MLPGenerator(4, (1, 4, 4), (8,)), MLPDiscriminator((1, 4, 4), (width, 6))


def test_estimates_of_singular_values_go_with_their_weight():
    """A first vector that fits another matrix would let the first updates of D be too large."""
    there, here = SNGAN(*networks(8)), SNGAN(*networks(9))
    classes = {player: there.spec[player]["_target_"] for player in initial.PLAYERS}
    report = initial.load(initial.Source("x.ckpt", 0, classes, there.state_dict()), here, averages=False)
    first = "discriminator.body.3.parametrizations.weight"
    assert f"{first}.original: (6, 8) there, (6, 9) here" in report["new"]
    assert f"{first}.0._u: its weight does not fit" in report["new"]


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ((SNGAN, GAN), "its discriminator is spectrally normalized, and this run's is not: choose a model= that is as"),
        ((GAN, SNGAN), "its discriminator is not spectrally normalized, and this run's is: choose a model= that is as"),
    ],
)
def test_spectral_normalization_of_one_alone_is_told(kinds, message):
    there, here = (kind(*networks(8)) for kind in kinds)
    classes = {player: initial._class(there.spec[player]) for player in initial.PLAYERS}
    with pytest.raises(UserError, match=f"init_from=x.ckpt: {message} there"):
        initial.load(initial.Source("x.ckpt", 0, classes, there.state_dict()), here, averages=False)


def test_other_names_of_labels_are_told(caplog):
    model = GAN(*networks(8))
    classes = {player: model.spec[player]["_target_"] for player in initial.PLAYERS}
    source = initial.Source("x.ckpt", 0, classes, model.state_dict(), ["cat", "dog"])
    for labels in (["cat", "dog"], ["cat", "dog", "eel"], []):
        assert initial.load(source, model, averages=False, labels=labels)["renamed_labels"] == []
    report = initial.load(source, model, averages=False, labels=["cat", "eel"])
    assert report["renamed_labels"] == ["1: dog there, eel here"]
    initial.log(report)
    assert "labels keep their numbers, and have other names there:\n  1: dog there, eel here" in caplog.text


@pytest.mark.slow
def test_labels_of_other_data_are_compared(train, tmp_path):
    runs = {}
    for name, classes in (("there", ("cat", "dog")), ("here", ("cat", "eel"))):
        for label in classes:
            for number in range(4):
                path = tmp_path / f"{name}_pictures" / label / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("L", (8, 8), 60 * number).save(path)
        data = ("data=image_folder", "data.image_shape=[1,8,8]", f"data.root={tmp_path / name}_pictures")
        start = (f"init_from={runs['there'].folder}",) if runs else ()
        options = ("model.conditional=true", "data.batch_size=4", "trainer.max_steps=1")
        runs[name] = train(name, *TINY, *data, *options, *start)
        assert runs[name].code == 0, runs[name].output
    assert runs["here"].summary["init_from"]["renamed_labels"] == ["1: dog there, eel here"]
    assert "other names there:\n  1: dog there, eel here" in runs["here"].output


def test_frozen_blocks_are_not_left_random():
    there, here = SNGAN(*networks(8)), SNGAN(*networks(9), freeze_discriminator=2)
    classes = {player: there.spec[player]["_target_"] for player in initial.PLAYERS}
    for of, weights in (
        (classes, there.state_dict()),
        ({"generator": classes["generator"]}, {f"generator.{n}": w for n, w in there.generator.state_dict().items()}),
    ):
        with pytest.raises(
            UserError, match=r"model.freeze_discriminator=2: init_from=x.ckpt has no .* discriminator.b"
        ):
            initial.load(initial.Source("x.ckpt", 0, of, weights), here, averages=False)


def test_a_head_that_only_the_new_model_has_is_listed():
    there, here = GAN(*networks(8)), GAN(*networks(8), heads={"second": partial(nn.Linear, out_features=3)})
    classes = {player: there.spec[player]["_target_"] for player in initial.PLAYERS}
    report = initial.load(initial.Source("x.ckpt", 0, classes, there.state_dict()), here, averages=False)
    assert report["new"] == ["heads.second.bias: not there", "heads.second.weight: not there"]


def test_the_average_starts_with_g_where_there_is_none():
    there, here = GAN(*networks(8)), GAN(*networks(8))
    classes = {player: there.spec[player]["_target_"] for player in initial.PLAYERS}
    initial.load(initial.Source("x.ckpt", 0, classes, there.state_dict()), here, averages=True)
    for own, weight in zip(here.generator_ema.parameters(), there.generator.parameters(), strict=True):
        assert torch.equal(own, weight)


@pytest.mark.slow
def test_two_processes_start_with_equal_weights(train, source):
    command = (*TINY, "trainer.max_steps=3", "network.generator.batch_norm=false", f"init_from={source.folder}")
    alone, together = train("alone", *command), train("together", *command, "trainer.devices=2")
    assert together.code == 0, together.output
    for name, weight in weights(alone).items():
        torch.testing.assert_close(weights(together)[name], weight, msg=name)
    assert together.summary["init_from"] == alone.summary["init_from"]
    assert together.output.count("init_from: ") == 1


@pytest.mark.slow
def test_jobs_of_a_sweep(command, source, tmp_path):
    sweep = tmp_path / "sweep"
    swept = ("seed=0,1", f"init_from={source.folder}", f"hydra.sweep.dir={sweep}", "trainer.max_steps=2")
    outcome = command("unused", "-m", *TINY, *swept)
    assert outcome.code == 0, outcome.output
    assert len(list(sweep.glob("*/checkpoints/last.ckpt"))) == 2
    for folder in sweep.glob("*/checkpoints"):
        assert Outcome(0, "", folder.parent).summary["init_from"]["step"] == 20
