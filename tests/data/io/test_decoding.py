"""The cache of decoded pictures: what a kill leaves is gone on with, and what is damaged is decoded again."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_lightning.data.io import decoding, pixel_file
from gan_lightning.data.io.pixel_file import ABANDONED, PixelFile, fingerprint
from gan_lightning.data.io.sources import FolderPictures
from gan_lightning.errors import UserError
from gan_lightning.files import file_lock

COUNT = 9
SHAPE = (1, 4, 4)
FILES = [f"{number}.png" for number in range(COUNT)]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(pixel_file, "CHUNK", 2)
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path):
    """Pictures of one gray level each; number 3 is broken."""
    (tmp_path / "pictures").mkdir()
    for number, name in enumerate(FILES):
        Image.new("L", (4, 4), 10 * number).save(tmp_path / "pictures" / name)
    (tmp_path / "pictures" / "3.png").write_bytes(b"no picture")
    return tmp_path / "pictures"


@pytest.fixture
def read(monkeypatch) -> list[str]:
    """The names of the pictures that are decoded from now on."""
    names, original = [], decoding.read_picture

    def read_picture(path, shape):
        names.append(path.name)
        return original(path, shape)

    monkeypatch.setattr(decoding, "read_picture", read_picture)
    return names


def levels(folder) -> list[int]:
    images, places = decoding.decoded(FolderPictures(folder, FILES), SHAPE, skip_bad=True)
    assert places.tolist() == [0, 1, 2, 4, 5, 6, 7, 8]
    assert all(len(image.unique()) == 1 for image in images)
    return images[:, 0, 0, 0].tolist()


ALL = [0, 10, 20, 40, 50, 60, 70, 80]


def contents(cache) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in cache.glob("pictures_*")}


@pytest.mark.parametrize("stop", range(COUNT))
def test_what_was_decoded_before_an_end_is_not_decoded_again(folder, cache, read, monkeypatch, stop):
    assert levels(folder) == ALL
    whole = contents(cache)
    for path in cache.glob("pictures_*"):
        path.unlink()

    def stopped(path, shape):
        if path.name == FILES[stop]:
            raise KeyboardInterrupt
        return original(path, shape)

    original, progress, starts = decoding.read_picture, decoding.progress, []
    with monkeypatch.context() as patch:
        patch.setattr(decoding, "read_picture", stopped)
        with pytest.raises(KeyboardInterrupt):
            levels(folder)
    read.clear()
    monkeypatch.setattr(decoding, "progress", lambda *facts: (starts.append(facts[-1]), progress(*facts))[1])
    assert levels(folder) == ALL
    done = stop // 2 * 2  # the bad picture among them
    assert sorted(read) == FILES[done:]
    assert starts == [done]
    assert contents(cache) == whole


@pytest.mark.parametrize("more", [0, 1])
def test_many_bad_pictures_end_the_decoding(folder, read, monkeypatch, more):
    monkeypatch.setattr(decoding, "_ENOUGH", 2)
    monkeypatch.setattr(decoding, "_AHEAD", 0)
    Image.effect_noise((16, 16), 50).save(folder.parent / "whole.png")
    for number in (1, 3, 5)[: 2 + more]:
        (folder / f"{number}.png").write_bytes((folder.parent / "whole.png").read_bytes()[:100])  # a good header
    source = FolderPictures(folder, FILES)
    for _ in range(2):
        with pytest.raises(UserError, match="has 2 pictures that cannot be decoded among the first 4 of 9; replace"):
            decoding.decoded(source, SHAPE, skip_bad=False)
        assert max(read, default="") < "4"
        read.clear()
    assert len(decoding.decoded(source, SHAPE, skip_bad=True)[0]) == 7 - more
    assert min(read) == "4.png"


def test_flipped_bits_and_other_lengths_are_told(folder, cache):
    assert levels(folder) == ALL
    whole = contents(cache)
    for path in cache.glob("pictures_*"):
        content = whole[path.name]
        damaged = [content[:length] for length in range(0, len(content), 29)]
        for bit in range(0, 8 * len(content), 67):
            flipped = bytearray(content)
            flipped[bit // 8] ^= 1 << bit % 8
            damaged.append(bytes(flipped))
        for variant in damaged:
            path.write_bytes(variant)
            assert len(PixelFile(FolderPictures(folder, FILES), SHAPE).verified()) < 5
        path.write_bytes(content)
    assert len(PixelFile(FolderPictures(folder, FILES), SHAPE).verified()) == 5


@pytest.mark.parametrize("ending", [".uint8", ".jsonl"])
@pytest.mark.parametrize("damage", ["first", "last", "cut", "gone"])
def test_what_is_damaged_is_decoded_again(folder, cache, read, capsys, ending, damage):
    images, _ = decoding.decoded(FolderPictures(folder, FILES), SHAPE, skip_bad=True)
    whole = contents(cache)
    (path,) = cache.glob(f"*{ending}")
    (pixels,) = cache.glob("*.uint8")
    content = bytearray(path.read_bytes())
    if damage == "gone":
        path.rename(path.with_suffix(".away"))
    elif damage == "cut":
        with path.open("r+b") as file:
            file.truncate(len(content) - 5)
    else:
        content[0 if damage == "first" else -1] ^= 1
        with path.open("r+b") as file:
            file.write(content)
    capsys.readouterr()
    read.clear()
    assert levels(folder) == ALL
    line, *_ = capsys.readouterr().out.splitlines()
    first = 0 if damage in ("first", "gone") else 8
    assert sorted(read) == FILES[first:]
    if (damage, ending) != ("gone", ".jsonl"):  # without a journal there is nothing that could be damaged
        assert line == f"{pixels} is damaged: pictures are decoded again from number {first + 1} on"
    assert {name: whole[name] for name in whole} == {path.name: path.read_bytes() for path in cache.glob("*[l8]")}
    if damage != "gone":
        assert images[:, 0, 0, 0].tolist() == ALL  # of the process that had mapped the file before
    read.clear()
    assert levels(folder) == ALL
    assert not read


def test_a_file_that_others_have_mapped_keeps_its_place_and_length(folder, cache, monkeypatch):
    assert levels(folder) == ALL
    (path,) = cache.glob("*.uint8")
    mapped = np.memmap(path, np.uint8, mode="r")
    with path.open("r+b") as file:
        file.write(b"\xff")
    assert mapped[0] == 255
    before, read, places = path.stat(), decoding.read_picture, set()

    def read_picture(*arguments):
        places.add((path.stat().st_ino, path.stat().st_size))
        return read(*arguments)

    monkeypatch.setattr(decoding, "read_picture", read_picture)
    assert levels(folder) == ALL
    assert mapped[0] == 0
    assert places == {(before.st_ino, before.st_size)}


@pytest.mark.parametrize("age", [ABANDONED - 60, ABANDONED + 60])
def test_an_unfinished_file_is_kept_for_a_week(folder, cache, monkeypatch, age):
    def begin(files):
        with monkeypatch.context() as patch:
            patch.setattr(PixelFile, "_ends", lambda *_: [1 // 0])
            with pytest.raises(ZeroDivisionError):
                decoding.decoded(FolderPictures(folder, files), SHAPE)
        return PixelFile(FolderPictures(folder, files), SHAPE)

    assert levels(folder) == ALL
    finished = list(cache.glob("pictures_*"))
    mine, other, busy = begin(FILES[:3]), begin(FILES[4:6]), begin(FILES[4:7])
    for path in cache.glob("pictures_*"):
        os.utime(path, (0, time.time() - age))
    with file_lock(busy.path):
        decoding.decoded(FolderPictures(folder, FILES[:3]), SHAPE)
    assert mine.path.exists()
    assert other.path.exists() == other.journal.exists() == (age < ABANDONED)
    assert busy.path.exists()
    assert all(path.exists() for path in finished)


def test_a_fingerprint_stands_for_the_pixels(folder, cache, monkeypatch):
    def decoded():
        return decoding.decoded(FolderPictures(folder, FILES), SHAPE, skip_bad=True)[0]

    images = decoded()
    known = fingerprint(images)
    parts = (images, images[:4], images[4:], images[:8:2], images.mT)
    assert len({fingerprint(part) for part in parts}) == len(parts)
    assert fingerprint(images[:4]) == fingerprint(decoded()[:4])
    assert [fingerprint(copy) for copy in (images.clone(), images[[0, 1]], images.to("meta"))] == [None] * 3
    (path,) = cache.glob("*.uint8")
    path.write_bytes(b"")
    assert fingerprint(decoded()) == known  # decoded again, to the same pixels
    path.unlink()
    read = decoding.read_picture
    monkeypatch.setattr(decoding, "read_picture", lambda *given: read(*given) ^ 1)  # as another Pillow may
    assert decoded()[0].unique().tolist() == [1]
    assert list(cache.glob("*.uint8")) == [path]
    found = {known, fingerprint(decoded())}
    os.utime(folder / "0.png", (0, 0))
    assert len(found | {fingerprint(decoded()), None}) == 4


def test_a_fingerprint_goes_with_its_pixels(folder, cache):
    images = decoding.decoded(FolderPictures(folder, FILES), SHAPE, skip_bad=True)[0]
    address, part = images.data_ptr(), images[2:]
    del images
    assert fingerprint(part) is not None
    del part
    assert address not in pixel_file._MAPPED  # other memory may begin there now


SCRIPT = """
import os, sys, time
from gan_lightning.data.io.sources import FolderPictures
from gan_lightning.data.io import decoding, pixel_file
read, root, log = decoding.read_picture, sys.argv[1], os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
pixel_file.CHUNK = 4
def logged(path, shape):
    os.write(log, f"{path.name}\\n".encode())
    time.sleep(0.02)
    return read(path, shape)
decoding.read_picture = logged
images, _ = decoding.decoded(FolderPictures(root, sorted(os.listdir(root))), (1, 4, 4))
print(images[:, 0, 0, 0].tolist())
"""


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path, cache):
    (tmp_path / "pictures").mkdir()
    for number in range(250):
        Image.new("L", (4, 4), number).save(tmp_path / "pictures" / f"{number:03d}.png")
    log = tmp_path / "log"
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "pictures"), str(log)]
    for moment in sorted(random.Random(0).sample(range(250), 3)):
        process = subprocess.Popen(command)
        while process.poll() is None and not (log.exists() and len(log.read_text().split()) > moment):
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == str(list(range(250)))
    times = Counter(log.read_text().split())
    assert len(times) == 250
    threads = min(32, (os.cpu_count() or 1) + 4)
    assert times.total() - 250 <= 3 * 2 * 4 * threads  # of each kill what the threads had begun, and what waited
