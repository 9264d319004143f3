"""What counts as a picture of a folder: nothing is left out without a word, and nothing counts twice."""

import os

import pytest
from PIL import Image

from gan_lightning.data.io.folders import class_names, list_pictures
from gan_lightning.errors import UserError


@pytest.fixture
def folder(tmp_path):
    for name in ("cat/a.png", "cat/deeper/b.png", "dog/c.png", "d.png"):
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8)).save(path)
    return tmp_path / "root"


def refusal(folder) -> str:
    with pytest.raises(UserError) as caught:
        list_pictures(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["cat", "cat/deeper", "."])
def test_an_unreadable_folder_is_named(folder, monkeypatch, name):
    closed, scan = os.path.normpath(folder / name), os.scandir

    def scandir(path):
        if os.path.normpath(path) == closed:
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert f"{closed} cannot be read (Permission denied), so that its pictures would be missing" in refusal(folder)
    if name != "cat/deeper":  # a class needs one picture
        with pytest.raises(UserError, match="cannot be read"):
            class_names(str(folder))


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("cat/loop", "."),
        ("cat/loop", ".."),
        ("cat/deeper/loop", "../../.."),
        ("loop", "/"),
        ("kitten", "cat"),
        ("a kitten", "cat/deeper"),  # it is read before the folder itself
    ],
)
def test_a_link_that_would_multiply_pictures_is_named(folder, link, target):
    (folder / link).symlink_to(target)
    one, other = refusal(folder).partition(", or the other way round")[0].split(" is a link to ")
    assert str(folder / link) in (one, other)  # it itself, and no way through it


@pytest.mark.parametrize("name", ["fox", "e.png"])
@pytest.mark.parametrize(("target", "why"), [("nowhere", "No such file"), ("{name}", "Too many levels of symbolic")])
def test_a_link_that_cannot_be_followed_is_named(folder, name, target, why):
    (folder / name).symlink_to(target.format(name=name))
    assert f"{folder / name} is a link that cannot be followed ({why}" in refusal(folder)


def test_other_links_are_followed(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    Image.new("L", (8, 8)).save(elsewhere / "f.png")
    (folder / "fox").symlink_to(elsewhere)
    (folder / "dog" / "again.png").symlink_to("c.png")
    assert list_pictures(folder) == [
        "cat/a.png",
        "cat/deeper/b.png",
        "d.png",
        "dog/again.png",
        "dog/c.png",
        "fox/f.png",
    ]
    assert class_names(str(folder)) == ["cat", "dog", "fox"]


def test_a_name_with_escape_codes_is_quoted(folder):
    (folder / "\x1b[2J").symlink_to("nowhere")
    assert "\x1b" not in refusal(folder)
