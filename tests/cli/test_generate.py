import re
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.functional import to_pil_image

import gan_lightning
from gan_lightning.cli.generate import _chosen, _parser, main
from gan_lightning.data.images import to_unit_range
from gan_lightning.models import GAN
from gan_lightning.models.latents import styles_of
from gan_lightning.networks import MLPDiscriminator
from gan_lightning.training.checkpoint import load_model
from gan_lightning.visualization import grids
from tests.conftest import TINY
from tests.models.test_latents import Styled


@pytest.fixture(scope="module")
def run(trained):
    """The folder of a run that these tests read."""
    return trained(*TINY, "trainer.max_steps=30").folder


def draw(*arguments) -> None:
    main([str(argument) for argument in arguments])


def read_png(path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def refusal(capfd, *arguments) -> str:
    with pytest.raises(SystemExit) as leaving:
        draw(*arguments)
    assert leaving.value.code not in (0, None)
    return str(leaving.value.code)


def test_a_grid(run, tmp_path):
    draw(run, "--num", 64, "--seed", 0, "--out", tmp_path / "grid.png")
    with Image.open(tmp_path / "grid.png") as picture:
        assert picture.size == (3 * (8 * 30 + 2), 3 * (8 * 30 + 2))


def test_an_array(run, tmp_path):
    draw(run, "--num", 70, "--out", tmp_path / "x.npz")
    images = np.load(tmp_path / "x.npz")["images"]
    assert images.shape == (70, 1, 28, 28)
    assert images.dtype == np.uint8


def test_a_folder_of_the_same_images(run, tmp_path):
    draw(run, "--num", 5, "--out", tmp_path / "folder")
    draw(run, "--num", 5, "--out", tmp_path / "x.npz")
    pictures = [read_png(tmp_path / "folder" / f"{i:06d}.png") for i in range(5)]
    assert np.array_equal(np.stack(pictures), np.load(tmp_path / "x.npz")["images"][:, 0])
    assert len(list((tmp_path / "folder").iterdir())) == 5


def test_the_same_seed_draws_the_same(run, tmp_path):
    arrays = []
    for name, options in {"a": (), "b": (), "c": ("--seed", 1), "d": ("--raw",)}.items():
        draw(run, "--num", 4, "--out", tmp_path / f"{name}.npz", *options)
        arrays.append(np.load(tmp_path / f"{name}.npz")["images"])
    assert np.array_equal(arrays[0], arrays[1])
    assert not np.array_equal(arrays[0], arrays[2])
    assert not np.array_equal(arrays[0], arrays[3])


def test_the_checkpoint_alone_is_enough(train, tmp_path):
    run = train("run", *TINY, "trainer.max_steps=2").folder
    draw(run, "--num", 3, "--out", tmp_path / "a.npz")
    alone = shutil.move(run / "checkpoints" / "last.ckpt", tmp_path / "elsewhere.ckpt")
    shutil.rmtree(run)
    draw(alone, "--num", 3, "--out", tmp_path / "b.npz")
    assert np.array_equal(np.load(tmp_path / "a.npz")["images"], np.load(tmp_path / "b.npz")["images"])


def test_a_missing_checkpoint(tmp_path, capfd):
    assert "there is no checkpoint at" in refusal(capfd, tmp_path, "--out", tmp_path / "x.png")


def test_a_truncated_checkpoint(run, tmp_path, capfd):
    cut = tmp_path / "cut.ckpt"
    whole = (run / "checkpoints" / "last.ckpt").read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])
    assert "is damaged or not a checkpoint" in refusal(capfd, cut, "--out", tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()


def test_a_pickle_that_would_run_code(tmp_path, capfd):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    torch.save({"config": {}, "state_dict": {}, "evil": Evil()}, tmp_path / "evil.ckpt")
    assert "could run code" in refusal(capfd, tmp_path / "evil.ckpt", "--out", tmp_path / "x.png")
    assert not (tmp_path / "ran").exists()


def test_a_target_that_would_run_code(run, tmp_path, capfd):
    checkpoint = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    checkpoint["model"]["generator"] = {"_target_": "os.system", "command": f"touch {tmp_path}/ran"}
    torch.save(checkpoint, tmp_path / "evil.ckpt")
    assert "os.system is not a class" in refusal(capfd, tmp_path / "evil.ckpt", "--out", tmp_path / "x.png")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "hostile",
    [
        "${oc.create:{_target_:os.mkdir,path:'PATH'}}",
        "${oc.env:HOME}",
        {"_target_": "gan_lightning.cli.generate.main", "arguments": ["x"]},
        {"_target_": "torch.load", "f": "x", "weights_only": False},
        {"_target_": "lightning.pytorch.callbacks.LambdaCallback"},
    ],
)
def test_a_configuration_that_would_do_more_than_build_networks(run, tmp_path, capfd, hostile):
    checkpoint = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    if isinstance(hostile, str):
        hostile = hostile.replace("PATH", str(tmp_path / "ran"))
    checkpoint["model"]["generator_optimizer"]["lr"] = hostile
    torch.save(checkpoint, tmp_path / "evil.ckpt")
    if isinstance(hostile, dict):
        message = refusal(capfd, tmp_path / "evil.ckpt", "--out", tmp_path / "x.png")
        assert "is not a class that a configuration may name here" in message
    else:
        assert load_model(tmp_path / "evil.ckpt").optimizer_arguments["generator"]["lr"] == hostile  # as it stands
    assert not (tmp_path / "ran").exists()


def test_weights_of_another_network(run, tmp_path, capfd):
    checkpoint = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    checkpoint["model"]["generator"]["hidden_dims"] = [16, 32]
    torch.save(checkpoint, tmp_path / "other.ckpt")
    message = refusal(capfd, tmp_path / "other.ckpt", "--out", tmp_path / "x.png")
    assert "does not fit the networks of its configuration" in message
    assert "generator.layers.2.weight: (16, 16) in the checkpoint, expected (32, 16)" in message


def test_images_are_not_mixed_with_others(run, tmp_path, capfd):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note").touch()
    assert "a new or an empty folder" in refusal(capfd, run, "--out", tmp_path / "full")


def test_an_unknown_format(run, tmp_path, capfd):
    assert "expected a name that ends in .png or .npz" in refusal(capfd, run, "--out", tmp_path / "x.jpg")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--device", "gpu5"), "--device gpu5: .*Expected cpu, cuda, cuda:1 or mps"),
        (("--label", "3"), "label 3: this model was trained without labels"),
        (("--walk", "1"), "expected a name that ends in .gif, .mp4, .webp"),
        (("--truncation", "0.001"), "--truncation 0.001: expected a number from 0.01"),
    ],
)
def test_options_that_do_not_fit(run, tmp_path, capfd, options, message):
    assert re.search(message, refusal(capfd, run, "--out", tmp_path / "x.png", *options))


def test_a_place_that_cannot_be_written(run, tmp_path, capfd):
    (tmp_path / "file").touch()
    assert f"{tmp_path}/file: File exists" in refusal(capfd, run, "--out", tmp_path / "file" / "x.png")


def test_rows_between_two_latents(run, tmp_path):
    draw(run, "--num", 24, "--interpolate", 8, "--out", tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.size == (4 * (8 * 30 + 2), 4 * (3 * 30 + 2))


def test_truncation_moves_no_other_entries(run, tmp_path):
    for name, options in {"a": (), "b": ("--truncation", 9.0), "c": ("--truncation", 0.5)}.items():
        draw(run, "--num", 4, "--out", tmp_path / f"{name}.npz", *options)
    whole, wide, narrow = (np.load(tmp_path / f"{name}.npz")["images"] for name in "abc")
    assert np.array_equal(whole, wide)
    assert not np.array_equal(whole, narrow)


def test_styles_are_what_truncation_interpolation_and_walks_take():
    model = GAN(Styled(latent_dim=5, w_dim=3), MLPDiscriminator((1, 4, 4))).eval()
    mean = model.generator.w_mean
    plain, truncated, along, walk = (
        _chosen(model, _parser().parse_args(["run", "--num", "4", *options]))
        for options in ([], ["--truncation", "0.5"], ["--interpolate", "4"], ["--walk", "1"])
    )
    assert not plain.styles
    assert truncated.styles
    w = styles_of(model, plain.latents)
    torch.testing.assert_close(truncated.latents, mean + 0.5 * (w - mean))
    ends = styles_of(model, model.fixed_z(2, 0))
    torch.testing.assert_close(along.latents, torch.lerp(*ends, torch.linspace(0, 1, 4)[:, None]))
    assert walk.latents.shape == (25, 4, 3)
    torch.testing.assert_close(walk.latents[0], styles_of(model, model.fixed_z(8, 0)[::2]))


def test_a_film_of_a_walk(run, tmp_path):
    draw(run, "--num", 2, "--walk", 0.2, "--out", tmp_path / "walk.webp")
    with Image.open(tmp_path / "walk.webp") as film:
        assert film.n_frames == 5
        assert film.info["loop"] == 0
        film.seek(0)
        first = np.asarray(film.convert("RGB"), dtype=int)
    draw(run, "--num", 4, "--out", tmp_path / "x.npz")  # the film's images begin at latents 0 and 2
    images = to_unit_range(torch.from_numpy(np.load(tmp_path / "x.npz")["images"][::2]))
    expected = np.asarray(to_pil_image(grids.grid(images)), dtype=int)
    assert np.abs(first[: len(expected), : expected.shape[1]] - expected).mean() < 10  # WebP loses a little


def test_a_walk_of_less_than_a_frame(run, tmp_path):
    draw(run, "--num", 2, "--walk", 0.001, "--out", tmp_path / "walk.gif")
    with Image.open(tmp_path / "walk.gif") as film:
        assert film.n_frames == 1


@pytest.fixture(scope="module")
def conditional(trained):
    return trained(*TINY, "model.conditional=true", "trainer.max_steps=30").folder


def test_a_class(conditional, tmp_path, capfd):
    for label in ("3", "4"):
        draw(conditional, "--num", 4, "--label", label, "--out", tmp_path / f"{label}.npz")
    three, four = (np.load(tmp_path / f"{label}.npz")["images"] for label in "34")
    assert not np.array_equal(three, four)
    message = refusal(capfd, conditional, "--label", "12", "--out", tmp_path / "x.png")
    assert "12: no such label. There are: 0, 1, 2" in message


def test_a_grid_says_the_class_of_each_image(conditional, tmp_path):
    draw(conditional, "--num", 9, "--out", tmp_path / "x.png")
    draw(conditional, "--num", 9, "--out", tmp_path / "x.npz")
    images = to_unit_range(torch.from_numpy(np.load(tmp_path / "x.npz")["images"]))
    model = gan_lightning.load(conditional)
    names = [str(int(row.argmax())) for row in model.fixed_conditions(9, seed=0)]
    assert len(set(names)) > 3
    expected = to_pil_image(grids.grid(images, 3, names))
    assert np.array_equal(read_png(tmp_path / "x.png"), np.asarray(expected))


def test_an_interpolation_keeps_one_class_a_row(conditional, tmp_path):
    draw(conditional, "--num", 16, "--interpolate", 8, "--out", tmp_path / "x.npz")
    assert np.load(tmp_path / "x.npz")["images"].shape == (16, 1, 28, 28)
