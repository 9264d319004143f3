"""Numbered pictures, and the videos made of them."""

import math
import os
import tracemalloc

import numpy as np
import pytest
import torch
from imageio_ffmpeg import count_frames_and_secs
from PIL import Image, ImageSequence
from PIL.PngImagePlugin import PngInfo

from gan_lightning.cli.timelapse import main
from gan_lightning.visualization import video
from gan_lightning.visualization.grids import picture
from tests.conftest import TINY

EPOCH = 44


@pytest.fixture(scope="module")
def run(trained):
    pictures = ("callbacks.samples.every_n_steps=null", "callbacks.samples.every_n_epochs=1", "callbacks.ema=null")
    options = tuple(option for option in TINY if "samples" not in option)
    return trained(*options, *pictures, "trainer.max_epochs=3").folder


def frames(path):
    """The frames of a GIF: (count, height, width, 3)."""
    with Image.open(path) as gif:
        return np.stack([np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(gif)])


@pytest.mark.slow
def test_a_run_leaves_a_film_of_its_epochs(run):
    names = [path.name for path in video.pictures_of(run / "samples")]
    assert names == [f"step_{EPOCH * epoch:08d}.png" for epoch in range(4)]
    assert len(np.unique(frames(run / "samples" / "video.gif"), axis=0)) == 4
    count, _ = count_frames_and_secs(str(run / "samples" / "video.mp4"))
    assert count == 4 + 10  # the last picture stays for a second


@pytest.mark.slow
def test_the_film_is_made_again_and_elsewhere(run, tmp_path, capfd):
    main([str(run), "--out", str(tmp_path / "again"), "--thin"])
    assert (tmp_path / "again.gif").exists()
    assert (tmp_path / "again.mp4").exists()
    assert "pictures in" in capfd.readouterr().out


@pytest.mark.slow
def test_the_picture_of_an_epoch(run, capfd, monkeypatch):
    monkeypatch.setattr(Image.Image, "show", lambda _: None)
    main([str(run), "--epoch", "2"])
    assert capfd.readouterr().out.strip() == str(run / "samples" / f"step_{2 * EPOCH:08d}.png")
    with pytest.raises(SystemExit, match=r"epoch 7: no picture .*0, 1, 2, 3"):
        main([str(run), "--epoch", "7"])


def test_no_pictures(tmp_path):
    with pytest.raises(SystemExit, match="there are no pictures"):
        main([str(tmp_path)])


def test_thinning_follows_the_square_root(tmp_path):
    pictures = [tmp_path / str(number) for number in range(50)]
    kept, last = [], -1
    for number, path in enumerate(pictures):
        frame = 2 * math.sqrt(number)
        if round(frame) > last:
            kept.append(path)
            last = round(frame)
    assert video.thinned(pictures) == [*kept, pictures[-1]]  # the last one always
    assert len(kept) < 20


@pytest.mark.parametrize("dimensions", [1, 2])
def test_points_are_plotted(dimensions):
    assert picture(torch.randn(100, dimensions)).shape == (3, 500, 800)


def test_pictures_of_different_sizes_make_one_film(tmp_path):
    for number, size in enumerate(((9, 8), (12, 6))):
        Image.new("RGB", size, "white").save(tmp_path / f"{number}.png")
    video.write([tmp_path / "0.png", tmp_path / "1.png"], tmp_path / "video", fps=2)
    assert frames(tmp_path / "video.gif").shape[1:] == (8, 12, 3)


@pytest.mark.slow
def test_a_film_has_one_frame_in_memory(tmp_path):
    for number in range(40):
        Image.new("RGB", (500, 400), (6 * number, 0, 0)).save(tmp_path / f"{number:02}.png")
    frame = 500 * 400 * 3
    tracemalloc.start()
    try:
        video.write(sorted(tmp_path.glob("*.png")), tmp_path / "video", fps=10)
        assert tracemalloc.get_traced_memory()[1] < 8 * frame
    finally:
        tracemalloc.stop()
    assert count_frames_and_secs(str(tmp_path / "video.mp4"))[0] == 50
    found = frames(tmp_path / "video.gif")
    assert len(np.unique(found, axis=0)) == 40
    assert found[20, 0, 0].tolist() == pytest.approx([120, 0, 0], abs=2)


def link(path, secret):
    path.symlink_to(secret)


def torn(path, secret):
    path.write_bytes(secret.read_bytes()[:50])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (link, "is a link to a file outside of"),
        (torn, "is no PNG picture"),
        (lambda path, _: os.mkfifo(path), "is no regular file"),
        (lambda path, _: path.mkdir(), "is no regular file"),
    ],
)
def test_pictures_that_are_not_of_the_run_are_refused(tmp_path, make, message):
    secret = tmp_path / "secret.png"
    Image.new("RGB", (64, 64)).save(secret)
    samples = tmp_path / "run" / "samples"
    samples.mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(samples / "step_00000000.png")
    make(samples / "step_00000001.png", secret)
    for options in ([], ["--epoch", "0"]):
        with pytest.raises(SystemExit, match=f"^error: .*step_00000001.png {message}"):
            main([str(tmp_path / "run"), *options])
    assert not list(samples.glob("video.*"))


def test_a_video_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(video, "LARGEST", 10_000)
    samples = tmp_path / "samples"
    samples.mkdir()
    for number, side in enumerate((8, 80)):
        Image.new("RGB", (side, side)).save(samples / f"step_{number:08d}.png")
    with pytest.raises(SystemExit, match=r"step_00000001.png: a frame of 80 x 80 pixels takes more than 10,000"):
        main([str(tmp_path)])


def test_an_epoch_that_is_no_number_is_told(tmp_path):
    header = PngInfo()
    header.add_text("epoch", "last")
    (tmp_path / "samples").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "samples" / "step_00000000.png", pnginfo=header)
    with pytest.raises(SystemExit, match="its header says epoch 'last', expected a number"):
        main([str(tmp_path), "--epoch", "0"])
