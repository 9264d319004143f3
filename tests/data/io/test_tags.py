"""Tables of tags from strangers: each ends in one line, and nothing outside of the folder is read."""

import os

import pytest
from PIL import Image

from gan_lightning.data import TaggedImages
from gan_lightning.data.io import pictures
from gan_lightning.data.io.tags import find_tags
from gan_lightning.errors import UserError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", str(tmp_path / "cache"))
    (tmp_path / "root").mkdir()
    for name in ("root/a.png", "outside.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    return tmp_path / "root"


def refusal(folder, table: bytes) -> str:
    (folder / "tags.csv").write_bytes(table)
    with pytest.raises(UserError) as caught:
        TaggedImages([3, 8, 8], root=str(folder), batch_size=1).load("train")
    assert len(str(caught.value)) < 1000
    return str(caught.value)


HEAD = b"file,tags\na.png,blue hair\n"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (HEAD + b"b.png," + b"x" * 10**6 + b"\n", "is no CSV file in UTF-8 (field larger than field limit"),
        (HEAD + b"b" * 10**5 + b",red hair\n", "row 3: 'bbbbb"),
        (HEAD + b"x," * 10**6 + b"\n", "row 3: 1,000,001 columns, expected 2"),
        (b"x," * 10**6 + b"\n", "its first row is 'x,x,x,"),
        (HEAD + b"b.png\0,red hair\n", "row 3: 'b.png\\x00' is no picture"),
        (HEAD + b"\x1b[2Jb.png,red hair\n", "row 3: '\\x1b[2Jb.png' is no picture"),
        (HEAD.decode().encode("utf-16"), "is no CSV file in UTF-8 ("),
        (HEAD + "b.png,blå hair\n".encode("latin-1"), "is no CSV file in UTF-8 ("),
        (b"\0" * 100, "its first row is "),
    ],
)
def test_what_is_no_table_ends_in_one_line(folder, table, message):
    assert message in refusal(folder, table)


@pytest.mark.parametrize("name", ["../outside.png", "/etc/passwd", "{root}/../outside.png", "../../../../etc/passwd"])
def test_nothing_outside_of_the_folder_is_read(folder, monkeypatch, name):
    monkeypatch.setattr(pictures.Image, "open", lambda *_, **__: pytest.fail("read"))
    message = refusal(folder, HEAD + f"{name.format(root=folder)},red hair\n".encode())
    assert "is no picture (.png, .jpg, .jpeg, .webp, .avif, .bmp) in the folder" in message


def test_a_table_that_is_a_pipe_is_not_waited_for(folder):
    os.mkfifo(folder / "tags.csv")
    with pytest.raises(UserError, match=r"tags.csv is no regular file: expected a table"):
        TaggedImages([3, 8, 8], root=str(folder), batch_size=1).condition_names()


def test_a_long_word_takes_no_longer_than_its_length():
    """Without an anchor every letter of a word would begin a search to its end."""
    assert find_tags("a" * 130_000 + " blue hair", ["hair"]) == ["blue hair"]
