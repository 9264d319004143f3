"""`gan-invert` finds the latents of pictures, and `gan-directions` shows what the latents' directions change."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.functional import to_pil_image

import gan_lightning
from gan_lightning.cli import directions, invert
from gan_lightning.data.images import to_uint8
from gan_lightning.evaluation import inversion
from gan_lightning.models import GAN, latents
from gan_lightning.networks import MLPDiscriminator
from tests.conftest import TINY
from tests.models.test_latents import Styled


@pytest.fixture(scope="module")
def run(trained):
    return trained(*TINY, "trainer.max_steps=30").folder


@pytest.fixture
def pictures(run, tmp_path):
    """Three samples of the run, and what is no picture."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index, image in enumerate(to_uint8(gan_lightning.load(run).sample(3, seed=9))):
        to_pil_image(image).save(folder / f"{index}.png")
    (folder / "note.txt").touch()
    return folder


def refusal(tool, *arguments) -> str:
    with pytest.raises(SystemExit) as leaving:
        tool.main([str(argument) for argument in arguments])
    return str(leaving.value.code)


def test_samples_are_found_again(run, pictures, tmp_path, capsys):
    out = tmp_path / "out"
    invert.main([str(run), str(pictures), "--out", str(out), "--steps", "200"])
    assert {path.name for path in out.iterdir()} == {"inverted.png", "loss.png", "latents.npz"}
    with np.load(out / "latents.npz") as found:
        assert found["z"].shape == (3, 8)
        assert found["files"].tolist() == ["0.png", "1.png", "2.png"]
        z, mse = torch.from_numpy(found["z"]), found["mse"]
    targets = gan_lightning.load(run).sample(3, seed=9)
    start = (gan_lightning.load(run).sample(3, seed=1) - targets).square().mean()
    assert mse.max() < 0.05 * start
    images = torch.cat([*gan_lightning.load(run).generate(z)])
    assert (images - targets).square().flatten(1).mean(1).numpy() == pytest.approx(mse, abs=1e-4)
    assert "3 pictures in z, with features of the classifier" in capsys.readouterr().out
    with Image.open(out / "inverted.png") as picture:
        assert picture.width > 5 * picture.height  # three pairs in a row


def test_styles_are_found_again():
    torch.manual_seed(0)
    model = GAN(Styled(), MLPDiscriminator((1, 4, 4))).eval()
    targets = torch.cat([*model.generate(model.fixed_z(3, 5))]).detach()
    found = inversion.invert(model, targets, steps=300)
    assert found.styles
    assert found.latents.shape == (3, 3)
    assert found.mse.max() < 0.01 * found.losses[0].min()


def test_pictures_do_not_depend_on_each_other(run):
    model = gan_lightning.load(run)
    targets = model.sample(3, seed=9)
    together = inversion.invert(model, targets, steps=5)
    alone = inversion.invert(model, targets[1:2], steps=5)
    torch.testing.assert_close(together.latents[1:2], alone.latents)


def test_many_pictures_are_inverted_in_blocks(run):
    model = gan_lightning.load(run)
    targets = model.sample(model.BLOCK + 1, seed=9)
    sizes = set()
    model.sampled_generator().register_forward_hook(lambda network, inputs, images: sizes.add(len(images)))
    found = inversion.invert(model, targets, steps=2)
    assert sizes == {model.BLOCK, 1}
    assert found.losses.shape == (2, model.BLOCK + 1)
    alone = inversion.invert(model, targets[-1:], steps=2)
    torch.testing.assert_close(found.latents[-1:], alone.latents)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"no picture", "is no picture that can be read"), (None, "it has 0 pictures; expected from 1 to 1000")],
)
def test_what_is_no_picture_is_refused(run, tmp_path, content, message):
    folder = tmp_path / "folder"
    folder.mkdir()
    if content:
        (folder / "x.png").write_bytes(content)
    assert message in refusal(invert, run, folder, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_told_before_the_search(run, pictures, tmp_path, monkeypatch):
    monkeypatch.delattr(inversion, "invert")
    (tmp_path / "file").touch()
    assert f"error: {tmp_path}/file/out: Not a directory" in refusal(
        invert, run, pictures, "--out", tmp_path / "file/out"
    )


@pytest.mark.parametrize("weight", ["-1", "nan"])
def test_a_weight_that_is_none_is_refused(run, pictures, capsys, weight):
    with pytest.raises(SystemExit):
        invert.main([str(run), str(pictures), f"--feature-weight={weight}"])
    assert f"argument --feature-weight: expected a number from 0, got {weight}" in capsys.readouterr().err


def test_a_conditional_model_has_to_know_the_label(trained, pictures, tmp_path):
    conditional = trained(*TINY, "model.conditional=true", "trainer.max_steps=2").folder
    said = refusal(invert, conditional, pictures, "--out", tmp_path / "out")
    assert "--label: this model is conditional; expected what the pictures show: 0, 1" in said
    invert.main([str(conditional), str(pictures), "--out", str(tmp_path / "out"), "--label", "3", "--steps", "2"])
    assert (tmp_path / "out" / "inverted.png").exists()


def test_directions(run, tmp_path):
    out = tmp_path / "out"
    directions.main([str(run), "--directions", "2", "--num", "3", "--out", str(out)])
    assert sorted(path.name for path in out.iterdir()) == ["direction_1.png", "direction_2.png", "directions.npz"]
    with np.load(out / "directions.npz") as found:
        expected, values = latents.directions(gan_lightning.load(run).sampled_generator(), 8)
        assert np.array_equal(found["directions"], expected.numpy())
        assert np.array_equal(found["eigenvalues"], values.numpy())
    assert "a new or an empty folder" in refusal(directions, run, "--out", out)
    assert "the latents have 8 dimensions" in refusal(directions, run, "--directions", 9, "--out", tmp_path / "new")
