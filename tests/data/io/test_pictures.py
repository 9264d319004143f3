"""Pictures from strangers: each bad one is a line of the message, whichever data set reads it."""

import csv
import os
import signal
import socket
import struct
import zlib

import pytest
import torch
from PIL import Image

from gan_lightning.data import ImageFolder, TaggedImages
from gan_lightning.data.io import pictures
from gan_lightning.data.io.pictures import read_picture
from gan_lightning.errors import UserError


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(autouse=True)
def no_hang():
    """A read that waits for ever fails the test."""
    signal.alarm(20)
    yield
    signal.alarm(0)


@pytest.fixture
def folder(tmp_path):
    Image.new("RGB", (8, 8), "blue").save(tmp_path / "good.png")
    with (tmp_path / "tags.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "tags"), ("good.png", "blue hair")])
    return tmp_path


def problems(kind, root) -> list[str]:
    with pytest.raises(UserError) as caught:
        kind([3, 8, 8], root=str(root), batch_size=1).load("train")
    title, *lines = str(caught.value).splitlines()
    assert "that cannot be decoded; replace or remove them" in title
    return lines


BOTH = pytest.mark.parametrize("kind", [ImageFolder, TaggedImages])


@BOTH
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # as outside of the tests
def test_bombs(folder, monkeypatch, kind):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    names = ["bomb.avif", "bomb.bmp", "bomb.jpg", "bomb.png", "bomb.webp"]
    if kind is ImageFolder:
        names = sorted([*names, "bomb.gif", "bomb.pgm", "bomb.tif"])
    for name in names:
        Image.new("L", (13, 13)).save(folder / name)  # between Pillow's limit, where it warns, and twice of it
    assert [line.split(":")[0].strip() for line in problems(kind, folder)] == names
    assert all("exceeds limit of 100 pixels" in line for line in problems(kind, folder))


@BOTH
def test_avif(folder, kind):
    Image.new("RGB", (8, 8), "red").save(folder / "good.avif")
    (folder / "good.png").unlink()
    (folder / "tags.csv").write_text("file,tags\ngood.avif,blue hair\n")
    pixels = kind([3, 8, 8], root=str(folder), batch_size=1).load("train")[0][0]
    assert abs(pixels.float().mean((1, 2)) - torch.tensor([255.0, 0.0, 0.0])).max() < 4


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


@pytest.mark.parametrize(
    "content",
    [
        png_header(2**31 - 1, 2**31 - 1),
        png_header(0, 0),
        b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0xF7, 0, 0),
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 70, 0, 0, 54, 40, 2**30, 2**30, 1, 24, 0, 0, 0, 0, 0, 0),
        b"II*\0" + struct.pack("<I", 2**32 - 1),
        b"II*\0" + struct.pack("<IH", 8, 65535) + struct.pack("<HHII", 256, 4, 2**32 - 1, 2**31) * 40,
        b"II+\0\x08\0\0\0" + struct.pack("<Q", 2**63 - 1),  # a place that the system cannot seek
        b"RIFF" + struct.pack("<I", 2**31) + b"WEBPVP8X" + struct.pack("<II", 10, 0) + b"\xff" * 6,
        b"P5 999999999 999999999 255\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n",
        b"",
    ],
)
def test_absurd_headers(folder, content):
    (folder / "a.png").write_bytes(content)
    (line,) = problems(ImageFolder, folder)
    assert line.startswith("  a.png: ")


def test_other_formats_are_not_opened_whatever_they_are_called(folder):
    Image.new("RGB", (8, 8)).save(folder / "a.png", "pcx")
    (line,) = problems(ImageFolder, folder)
    assert "cannot identify image file" in line


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "tif", "webp", "bmp", "pgm"])
def test_truncated_files(folder, suffix):
    Image.effect_noise((16, 16), 50).save(folder / f"whole.{suffix}")
    whole = (folder / f"whole.{suffix}").read_bytes()
    for part in range(4):
        (folder / f"{part}.{suffix}").write_bytes(whole[: len(whole) * part // 4])
    data = ImageFolder([3, 8, 8], root=str(folder), skip_bad=True, batch_size=1)
    assert len(data.load("train")[0]) == len(["good.png", "whole"])


def test_an_animation_is_read_up_to_its_first_frame(tmp_path):
    first, *others = [Image.new("L", (8, 8), level) for level in range(50)]
    first.save(tmp_path / "a.gif", save_all=True, append_images=others)
    content = (tmp_path / "a.gif").read_bytes()
    (tmp_path / "a.gif").write_bytes(content[: len(content) // 2])
    assert read_picture(tmp_path / "a.gif", (1, 8, 8)).max() == 0


@BOTH
def test_what_is_no_regular_file_is_not_opened(folder, kind):
    os.mkfifo(folder / "pipe.png")
    (folder / "device.png").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(folder / "socket.png"))
        lines = problems(kind, folder)
    assert lines == [f"  {name}.png: it is no regular file" for name in ("device", "pipe", "socket")]


@pytest.mark.parametrize("skip_bad", [False, True])
def test_a_file_that_cannot_be_read_is_an_error_that_passes(folder, monkeypatch, skip_bad):
    def denied(path, **_):
        raise PermissionError(13, "Permission denied", path)

    data = ImageFolder([3, 8, 8], root=str(folder), skip_bad=skip_bad, batch_size=1)
    with monkeypatch.context() as patch:
        patch.setattr(pictures.Image, "open", denied)
        with pytest.raises(UserError, match=r"good.png cannot be read \(Permission denied\): expected a readable file"):
            data.load("train")
    assert len(data.load("train")[0]) == 1
