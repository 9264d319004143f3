import numpy as np
import pytest
import torch
from PIL import Image

from gan_lightning.generate import main
from tests.conftest import TINY


@pytest.fixture
def trained(train):
    return train("run", *TINY, "trainer.max_steps=30").folder


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


def test_a_grid(trained, tmp_path):
    draw(trained, "--num", 64, "--seed", 0, "--out", tmp_path / "grid.png")
    with Image.open(tmp_path / "grid.png") as picture:
        assert picture.size == (8 * 30 + 2, 8 * 30 + 2)


def test_an_array(trained, tmp_path):
    draw(trained, "--num", 70, "--out", tmp_path / "x.npz")
    images = np.load(tmp_path / "x.npz")["images"]
    assert images.shape == (70, 1, 28, 28)
    assert images.dtype == np.uint8


def test_a_folder_of_the_same_images(trained, tmp_path):
    draw(trained, "--num", 5, "--out", tmp_path / "folder")
    draw(trained, "--num", 5, "--out", tmp_path / "x.npz")
    pictures = [read_png(tmp_path / "folder" / f"{i:06d}.png") for i in range(5)]
    assert np.array_equal(np.stack(pictures), np.load(tmp_path / "x.npz")["images"][:, 0])
    assert len(list((tmp_path / "folder").iterdir())) == 5


def test_the_same_seed_draws_the_same(trained, tmp_path):
    arrays = []
    for name, options in {"a": (), "b": (), "c": ("--seed", 1), "d": ("--raw",)}.items():
        draw(trained, "--num", 4, "--out", tmp_path / f"{name}.npz", *options)
        arrays.append(np.load(tmp_path / f"{name}.npz")["images"])
    assert np.array_equal(arrays[0], arrays[1])
    assert not np.array_equal(arrays[0], arrays[2])
    assert not np.array_equal(arrays[0], arrays[3])


def test_the_checkpoint_alone_is_enough(trained, tmp_path):
    alone = tmp_path / "elsewhere.ckpt"
    alone.write_bytes((trained / "checkpoints" / "last.ckpt").read_bytes())
    draw(trained, "--num", 3, "--out", tmp_path / "a.npz")
    for path in sorted(trained.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    draw(alone, "--num", 3, "--out", tmp_path / "b.npz")
    assert np.array_equal(np.load(tmp_path / "a.npz")["images"], np.load(tmp_path / "b.npz")["images"])


def test_a_missing_checkpoint(tmp_path, capfd):
    assert "there is no checkpoint at" in refusal(capfd, tmp_path, "--out", tmp_path / "x.png")


def test_a_truncated_checkpoint(trained, tmp_path, capfd):
    cut = tmp_path / "cut.ckpt"
    whole = (trained / "checkpoints" / "last.ckpt").read_bytes()
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


def test_a_target_that_would_run_code(trained, tmp_path, capfd):
    checkpoint = torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)
    checkpoint["config"]["model"]["generator"] = {"_target_": "os.system", "command": f"touch {tmp_path}/ran"}
    torch.save(checkpoint, tmp_path / "evil.ckpt")
    assert "os.system is not a class" in refusal(capfd, tmp_path / "evil.ckpt", "--out", tmp_path / "x.png")
    assert not (tmp_path / "ran").exists()


def test_weights_of_another_network(trained, tmp_path, capfd):
    checkpoint = torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)
    checkpoint["config"]["model"]["generator"]["hidden"] = [16, 32]
    torch.save(checkpoint, tmp_path / "other.ckpt")
    message = refusal(capfd, tmp_path / "other.ckpt", "--out", tmp_path / "x.png")
    assert "does not fit the networks of its configuration" in message
    assert "generator.layers.2.weight: (16, 16) in the checkpoint, expected (32, 16)" in message


def test_images_are_not_mixed_with_others(trained, tmp_path, capfd):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note").touch()
    assert "a new or an empty folder" in refusal(capfd, trained, "--out", tmp_path / "full")


def test_an_unknown_format(trained, tmp_path, capfd):
    assert "expected a name that ends in .png or .npz" in refusal(capfd, trained, "--out", tmp_path / "x.jpg")
