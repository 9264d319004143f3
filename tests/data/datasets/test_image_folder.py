import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets

from gan_lightning.data import ImageFolder
from gan_lightning.data.datasets import image_folder
from gan_lightning.data.images import fit_to
from gan_lightning.data.io import decoding
from gan_lightning.data.io.folders import class_names, list_pictures
from gan_lightning.data.io.pixel_file import PixelFile
from gan_lightning.errors import UserError
from tests.conftest import TINY

LEVELS = {"cat/a.png": 10, "cat/deeper/b.png": 20, "dog/c.png": 30, "dog/d.bmp": 40, "e.png": 50}


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", str(folder))
    return folder


@pytest.fixture
def folder(tmp_path):
    """Two classes and a picture without one, each of a single gray level."""
    for name, level in LEVELS.items():
        picture(tmp_path / name, level)
    return tmp_path


def picture(path, content, size=(8, 8)):
    """A gray level, or an array of pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((*size, 3), content, np.uint8) if isinstance(content, int) else content
    Image.fromarray(pixels).save(path)


def opened(root, shape=(3, 8, 8), **changes):
    arguments = {"batch_size": 1, "condition_dim": len(class_names(str(root)))} | changes
    data = ImageFolder(list(shape), root=str(root), **arguments)
    data.setup()
    return data


def seen(images, labels):
    """Gray levels and labels, in order of the levels."""
    return sorted(zip(images[:, 0, 0, 0].tolist(), labels.tolist(), strict=True))


def cached(own_cache, ending=".uint8"):
    return sorted(own_cache.glob(f"*{ending}"))


# What is found


def test_class_folders_become_labels_with_their_names(folder):
    data = opened(folder)
    assert data.condition_names() == ["cat", "dog"]
    assert seen(data.train.images, data.train.labels) == [(10, 0), (20, 0), (30, 1), (40, 1), (50, -1)]
    names = [data.vocabulary.describe(row) for row in data.vocabulary.examples]
    assert (names, data.vocabulary.counts.tolist()) == (["cat", "dog"], [2, 2])


def test_torchvision_finds_the_same(folder):
    (folder / "e.png").unlink()
    train = opened(folder).train
    theirs = [(image.getpixel((0, 0))[0], label) for image, label in datasets.ImageFolder(str(folder))]
    assert seen(train.images, train.labels) == sorted(theirs)


def test_train_and_test_at_the_top_are_the_splits(tmp_path):
    for number, name in enumerate(("train/a/0.png", "train/b/1.png", "test/b/2.png", "test/c/3.png", "val/d/4.png")):
        picture(tmp_path / name, number)
    data = opened(tmp_path)
    assert data.condition_names() == ["a", "b", "c"]
    assert seen(*data.load("train")) == [(0, 0), (1, 1)]
    assert seen(*data.load("test")) == [(2, 1), (3, 2)]
    with pytest.raises(
        UserError, match=r"data.test_fraction=0.5: .* has a folder test beside train already; expected 0"
    ):
        opened(tmp_path, test_fraction=0.5)


def test_a_folder_without_classes(tmp_path):
    picture(tmp_path / "a.png", 1)
    data = opened(tmp_path)
    assert data.condition_names() == []
    assert data.train.labels.tolist() == [-1]


def test_what_is_hidden_is_passed_over_and_links_are_followed(folder, tmp_path_factory):
    picture(folder / ".ipynb_checkpoints" / "a.png", 1)
    (folder / "cat" / "._a.png").write_bytes(b"of a file manager")
    (folder / "empty").mkdir()
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    picture(elsewhere / "f.png", 60)
    (folder / "fox").symlink_to(elsewhere)
    assert class_names(str(folder)) == ["cat", "dog", "fox"]
    assert list_pictures(folder) == sorted([*LEVELS, "fox/f.png"])


def test_the_order_is_mixed_and_always_the_same(tmp_path):
    for number in range(40):
        picture(tmp_path / f"{number // 20}" / f"{number:02d}.png", number)
    first, again = (opened(tmp_path).train for _ in range(2))
    assert torch.equal(first.images, again.images)
    assert first.images[:, 0, 0, 0].tolist() != list(range(40))
    few = opened(tmp_path, limit=10).train
    assert torch.equal(few.images, first.images[:10])
    assert set(few.labels.tolist()) == {0, 1}


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_a_share_is_put_aside(tmp_path, share):
    for number in range(100):
        picture(tmp_path / f"{number:02d}.png", 2 * number)

    def levels(split):
        return set(opened(tmp_path, test_fraction=share).load(split)[0][:, 0, 0, 0].tolist())

    aside = levels("test")
    assert len(aside) == pytest.approx(100 * share, abs=15)
    assert levels("train") | aside == set(range(0, 200, 2))
    assert not levels("train") & aside
    picture(tmp_path / "new.png", 201)  # moves none of the others
    assert levels("test") - {201} == aside
    with pytest.raises(UserError, match=r"data.test_fraction=0.0: no picture .* Train with data.test_fraction=0.1"):
        opened(tmp_path).load("test")


# What a picture becomes


def test_pixels_are_kept_where_the_size_fits(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 6, 3), dtype=np.uint8)
    picture(tmp_path / "a.png", pixels)
    assert np.array_equal(opened(tmp_path, (3, 8, 6)).train.images[0], pixels.transpose(2, 0, 1))


def test_the_middle_is_cut_out(tmp_path):
    pixels = np.zeros((16, 48, 3), np.uint8)
    pixels[:, 16:32] = 200
    picture(tmp_path / "a.png", pixels)
    assert (opened(tmp_path).train.images[0, :, :, 2:-2] == 200).all()


def test_grey_stays_grey_and_color_becomes_its_luma(tmp_path):
    gray = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    picture(tmp_path / "a.png", gray)
    assert np.array_equal(opened(tmp_path, (1, 8, 8)).train.images[0, 0], gray)
    assert np.array_equal(opened(tmp_path, (3, 8, 8)).train.images[0, 2], gray)
    color = np.random.default_rng(1).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    picture(tmp_path / "a.png", color)
    off = opened(tmp_path, (1, 8, 8)).train.images[0, 0].numpy() - color @ [0.299, 0.587, 0.114]
    assert np.abs(off).max() <= 1


def test_sixteen_bits_become_eight(tmp_path):
    levels = np.arange(0, 65536, 1024, dtype=np.uint16).reshape(8, 8)
    picture(tmp_path / "a.png", levels)
    assert np.array_equal(opened(tmp_path, (1, 8, 8)).train.images[0, 0], (levels / 257).round())


def test_other_channels(folder):
    with pytest.raises(UserError, match=r"data.image_shape=\[4, 8, 8\]: pictures have 1 channel \(gray\) or 3, not 4"):
        opened(folder, (4, 8, 8))


# Bad pictures


@pytest.fixture
def bad(folder, monkeypatch):
    """The folder with a broken picture, one that is none, floating-point pixels, and two that are too large."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    file = io.BytesIO()
    Image.effect_noise((8, 8), 50).save(file, "png")
    (folder / "cat" / "0.png").write_bytes(file.getvalue()[:70])
    (folder / "cat" / "z.jpg").write_bytes(b"no picture")
    picture(folder / "dog" / "large.png", 1, (11, 11))  # Pillow warns
    picture(folder / "dog" / "huge.png", 1, (30, 30))  # Pillow refuses
    Image.fromarray(np.zeros((8, 8), np.float32)).save(folder / "f.tif")
    return folder


BAD = ["cat/0.png", "cat/z.jpg", "dog/huge.png", "dog/large.png", "f.tif"]


def told(root) -> list[str]:
    """The lines on bad pictures."""
    with pytest.raises(UserError) as caught:
        opened(root)
    title, *lines = str(caught.value).splitlines()
    assert title == (
        f"{root} has {len(lines)} pictures that cannot be decoded; replace or remove them, or leave them out with "
        "data.skip_bad=true:"
    )
    return lines


def names_of(lines) -> list[str]:
    return [line.split(":")[0].strip() for line in lines]


def test_bad_headers_are_named_before_anything_is_decoded(bad, monkeypatch):
    monkeypatch.setattr(decoding, "read_picture", lambda *_: pytest.fail("decoded"))
    for _ in range(2):
        lines = told(bad)
        assert names_of(lines) == BAD[1:4]
        assert "exceeds limit of 100 pixels" in lines[2]


def test_what_headers_do_not_tell_is_named_after_and_not_read_again(bad, monkeypatch, capfd):
    for name in BAD[1:4]:
        (bad / name).unlink()
    lines = told(bad)
    assert names_of(lines) == [BAD[0], BAD[4]]
    assert "mode F: expected 8 or 16 bits" in lines[1]
    out = capfd.readouterr().out.splitlines()
    assert sorted(out) == sorted(line.strip().replace(":", " cannot be decoded:", 1) for line in lines)
    monkeypatch.setattr(decoding, "read_picture", lambda *_: pytest.fail("decoded again"))
    assert told(bad) == lines
    assert len(opened(bad, skip_bad=True).train.images) == 5


def test_bad_pictures_are_left_out_when_asked(bad, own_cache, capfd):
    whole = [(10, 0), (20, 0), (30, 1), (40, 1), (50, -1)]
    for _ in range(2):
        train = opened(bad, skip_bad=True).train
        assert seen(train.images, train.labels) == whole
        (record,) = cached(own_cache, ".jsonl")
        assert capfd.readouterr().out == (f"5 pictures of 10 cannot be decoded and are left out: see {record}\n")
        assert all(name in record.read_text() for name in BAD)
    assert names_of(told(bad)) == BAD


def test_nothing_is_left(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="has 1 picture that cannot be decoded; replace or remove them:"):
        opened(tmp_path, skip_bad=True)


def test_a_folder_without_pictures(tmp_path):
    (tmp_path / "a.txt").write_text("no picture")
    with pytest.raises(UserError, match=r"has no pictures: expected files that end in .png, .* Set data.root"):
        opened(tmp_path)
    with pytest.raises(UserError, match=r"nowhere: there is no such folder. Set data.root to a folder of pictures"):
        opened(tmp_path / "nowhere")


def test_small_pictures_are_told_once_with_the_key(folder, capfd):
    line = f"{folder}: 5 of 5 pictures are smaller than 8x12 and are enlarged; data.image_shape=[3,8,8] keeps "
    opened(folder, (3, 8, 12))
    assert capfd.readouterr().out == f"{line}their size\n"
    opened(folder, (3, 8, 12))
    assert not capfd.readouterr().out
    picture(folder / "small.png", 60, (4, 4))
    opened(folder, (3, 8, 12))
    assert capfd.readouterr().out == f"{line.replace('5 of 5', '6 of 6')}the size of most\n"
    opened(folder)
    assert capfd.readouterr().out == f"{folder}: 1 of 6 pictures are smaller than 8x8 and are enlarged\n"
    (folder / "small.png").unlink()
    opened(folder)
    assert not capfd.readouterr().out


# The cache


def test_pictures_are_decoded_once(folder, own_cache, monkeypatch):
    first = opened(folder).train
    with monkeypatch.context() as patch:
        patch.setattr(decoding, "read_picture", lambda *_: pytest.fail("decoded again"))
        again = opened(folder, test_fraction=0.4)
        aside = len(again.load("test")[0])
        assert 0 < aside < len(first.images)
        assert torch.equal(again.train.images, first.images[aside:])
    assert len(cached(own_cache)) == 1


def test_an_object_reads_the_folder_once(folder, monkeypatch):
    data = opened(folder, test_fraction=0.4)
    monkeypatch.setattr(image_folder, "list_pictures", lambda *_: pytest.fail("listed again"))
    monkeypatch.setattr(PixelFile, "verified", lambda *_: pytest.fail("verified again"))
    (images, _), (aside, _) = data.load("train"), data.load("test")
    assert len(images) + len(aside) == len(LEVELS)
    assert aside.untyped_storage().data_ptr() == images.untyped_storage().data_ptr()


def test_they_are_decoded_again_where_anything_differs(folder, own_cache):
    def level(shape=(3, 8, 8)):
        return sorted(opened(folder, shape).train.images[:, 0, 0, 0].tolist())[0]

    assert level() == 10
    assert level((1, 8, 8)) == 10
    picture(folder / "cat" / "a.png", 7)  # of the same size in bytes
    os.utime(folder / "cat" / "a.png", ns=(0, 0))
    assert level() == 7
    (folder / "cat" / "a.png").rename(folder / "cat" / "y.png")
    assert level() == 7
    assert len(cached(own_cache)) == 4


def test_equal_listings_of_two_folders_are_not_mixed_up(tmp_path):
    for place, level in (("one", 1), ("two", 2)):
        picture(tmp_path / place / "a.bmp", level)
        os.utime(tmp_path / place / "a.bmp", ns=(0, 0))
    assert [opened(tmp_path / place).train.images[0, 0, 0, 0] for place in ("one", "two")] == [1, 2]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_batches_come_from_the_file_itself(folder, own_cache, num_workers):
    data = opened(folder, batch_size=5, num_workers=num_workers)
    (path,) = cached(own_cache)
    with path.open("r+b") as file:
        file.write(b"\xff" * path.stat().st_size)  # a copy would not see it
    images, _ = next(iter(data.train_dataloader()))
    assert (images == 255).all()


def test_what_fits_already_is_not_copied():
    images = torch.randint(0, 256, (4, 1, 8, 8), dtype=torch.uint8)[1:]
    assert fit_to(images, [1, 8, 8]).data_ptr() == images.data_ptr()


def test_all_labeled_pictures_are_not_copied(folder):
    assert sorted(opened(folder).labeled()[0][:, 0, 0, 0].tolist()) == [10, 20, 30, 40]
    (folder / "e.png").unlink()
    data = opened(folder)
    assert data.labeled()[0].data_ptr() == data.train.images.data_ptr()


SCRIPT = """
import os, sys, time
from pathlib import Path
from gan_lightning.data import ImageFolder
from gan_lightning.data.io import decoding
read, root, place = decoding.read_picture, sys.argv[1], Path(sys.argv[2])
def logged(path, shape):
    time.sleep(0.02)
    with (place / "log").open("a") as file:
        file.write(f"{path}\\n")
    return read(path, shape)
decoding.read_picture = logged
(place / f"ready{os.getpid()}").touch()
while len(list(place.glob("ready*"))) < 2:
    time.sleep(0.01)
data = ImageFolder([3, 8, 8], root=root, batch_size=1, condition_dim=0)
data.setup()
print(data.train.images.float().sum().item())
"""


@pytest.mark.slow
def test_of_two_processes_one_decodes(tmp_path):
    for number in range(100):
        picture(tmp_path / "pictures" / f"{number}.png", number)
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "pictures"), str(tmp_path)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    sums = [process.communicate(timeout=120)[0] for process in started]
    assert sums == [f"{100 * 99 / 2 * 3 * 64}\n"] * 2
    assert len((tmp_path / "log").read_text().splitlines()) == 100


def test_a_full_disk_is_said_before(folder, own_cache, monkeypatch):
    usage = type("Usage", (), {"free": 900})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(UserError, match=r"has room for 0.0 GB, .* set GAN_LIGHTNING_CACHE to a folder on a larger"):
        opened(folder)
    usage.free = 5 * 3 * 8 * 8
    opened(folder)


def test_results_come_in_order_however_slow_the_reader():
    import time
    from concurrent.futures import ThreadPoolExecutor

    begun = []

    def work(item):
        begun.append(item)
        return -item

    with ThreadPoolExecutor(4) as pool:
        results = decoding._bounded_map(pool, work, range(500))
        assert next(results) == 0
        time.sleep(0.1)
        assert len(begun) <= decoding._AHEAD + 1
        assert list(results) == [-item for item in range(1, 500)]


# Through the command line


@pytest.mark.slow
def test_a_conditional_run(train, folder):
    for number in range(40):
        picture(folder / ("cat" if number % 2 else "dog") / f"{number:02d}.png", number)
    options = ("data=image_folder", f"data.root={folder}", "data.image_shape=[1,8,8]", "model.conditional=true")
    run = train("run", *TINY, *options, "data.test_fraction=0.1", "trainer.max_steps=2")
    assert run.code == 0, run.output
    assert run.checkpoint["vocabulary"]["names"] == ["cat", "dog"]
    wrong = train("wrong", *TINY, *options[:1], f"data.root={folder}/nowhere", "trainer.max_steps=2")
    assert wrong.code == 1
    assert "nowhere: there is no such folder. Set data.root to a folder of pictures" in wrong.output


@pytest.mark.slow
def test_two_processes(train_apart, folder):
    for number in range(40):
        picture(folder / f"{number:02d}.png", number)
    options = ("data=image_folder", f"data.root={folder}", "data.image_shape=[1,8,8]", "trainer.devices=2")
    run = train_apart("run", *TINY, *options, "trainer.max_steps=2")
    assert run.code == 0, run.output
    assert run.summary["step"] == 2
