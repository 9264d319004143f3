import csv

import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from gan_lightning.data.datasets.tagged_images import TaggedImages
from gan_lightning.data.io.tags import tag_names
from gan_lightning.errors import UserError

NOUNS = ("hair", "eyes")
BLUE, RED, GREEN, WHITE = (0, 0, 255), (255, 0, 0), (0, 255, 0), (255, 255, 255)


@pytest.fixture
def folder(tmp_path):
    """Three pictures with a row, one of them without a tag, and one without a row."""
    for name, color in {"a.png": BLUE, "b.JPG": RED, "c.png": GREEN, "below/d.webp": WHITE}.items():
        picture(tmp_path / name, color)
    table(tmp_path, ("a.png", "1girl, blue hair, Yellow  Eyes"), ("b.JPG", "very long hair"), ("c.png", "1girl, hat"))
    return tmp_path


def picture(path, color, size=(8, 8), mode="RGB"):
    path.parent.mkdir(exist_ok=True)
    Image.new(mode, size, color).save(path)


def table(root, *rows, header=("file", "tags")):
    with (root / "tags.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def tagged(root, size=8, **changes):
    arguments = {"batch_size": 1, "condition_dim": len(tag_names(str(root), NOUNS))} | changes
    data = TaggedImages([3, size, size], root=str(root), **arguments)
    data.setup()
    return data.train


def problems(root):
    """The lines of the message about what `root` holds."""
    with pytest.raises(UserError) as caught:
        tagged(root)
    return str(caught.value).splitlines()


def test_words_before_a_noun_are_tags(folder):
    assert tag_names(str(folder), NOUNS) == ["blue hair", "long hair", "yellow eyes"]
    assert tag_names(str(folder), ["hair"]) == ["blue hair", "long hair"]
    assert tag_names(str(folder), ["hat"]) == []


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("BLUE HAIR", ["blue hair"]),
        ("blue, hair", []),
        ("hair", []),
        ("light-blue hair, red hairband", ["light-blue hair"]),
        ("blue hair green eyes", ["blue hair", "green eyes"]),
        ("a girl with red eyes and green eyes", ["green eyes", "red eyes"]),
    ],
)
def test_a_text_is_read(folder, text, tags):
    table(folder, ("a.png", text))
    assert tag_names(str(folder), NOUNS) == tags


def test_pictures_meet_their_tags(folder):
    train = tagged(folder)
    assert train.labels.tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0], [0, 0, 0]]  # a, b, below/d, c
    middle = train.images[:, :, 4, 4].float()
    assert (middle - torch.tensor([BLUE, RED, WHITE, GREEN])).abs().max() <= 3  # JPEG and WebP are not exact


def test_unlabeled_pictures_are_left_out(folder):
    (folder / "c.png").write_bytes(b"not read at all")
    train = tagged(folder, unlabeled="drop")
    assert train.labels.tolist() == [[1, 0, 1], [0, 1, 0]]
    assert train.images[0, :, 4, 4].tolist() == list(BLUE)


def test_other_nouns(folder):
    data = TaggedImages([3, 8, 8], root=str(folder), nouns=["eyes"], batch_size=1, condition_dim=1)
    data.setup()
    assert data.condition_names() == ["yellow eyes"]
    assert data.train.labels.tolist() == [[1], [0], [0], [0]]
    data = TaggedImages([3, 8, 8], root=str(folder), nouns=["eyes"], unlabeled="drop", batch_size=1, condition_dim=1)
    data.setup()
    assert data.train.labels.tolist() == [[1]]


def test_the_middle_is_cut_out_and_resized(folder):
    wide = Image.new("RGB", (48, 16), RED)
    wide.paste(BLUE, (16, 0, 32, 16))
    wide.save(folder / "a.png")
    images = tagged(folder, size=8).images
    assert images.shape == (4, 3, 8, 8)
    off = (images[0].float() - torch.tensor(BLUE).view(3, 1, 1)).abs()
    assert off[..., 2:-2].max() == 0
    assert off.max() < 32  # at the sides the filter sees a little of what is cut off


@pytest.mark.parametrize(("mode", "color", "seen"), [("RGBA", (9, 9, 9, 0), 255), ("L", 77, 77), ("LA", (7, 0), 255)])
def test_any_mode_becomes_rgb_on_white(folder, mode, color, seen):
    picture(folder / "a.png", color, mode=mode)
    assert tagged(folder).images[0].unique().tolist() == [seen]


def test_a_photograph_is_turned_upright(folder):
    turned = Image.new("RGB", (16, 16), RED)
    turned.paste(BLUE, (0, 0, 16, 8))
    exif = Image.Exif()
    exif[0x0112] = 3  # lies on its head
    turned.save(folder / "a.png", exif=exif)
    image = tagged(folder, size=16).images[0]
    assert image[:, 2, 8].tolist() == list(RED)
    assert image[:, 13, 8].tolist() == list(BLUE)


def test_a_transparent_palette_becomes_rgb_on_white(folder):
    image = Image.new("P", (8, 8), 0)
    image.putpalette([9, 9, 9, 200, 0, 0])
    image.save(folder / "a.png", transparency=b"\x00\xff")
    assert tagged(folder).images[0].unique().tolist() == [255]


def test_a_table_from_a_spreadsheet(folder):
    text = '\ufeffFile, Tags \r\n./a.png ,"blue hair"\r\n\r\nbelow/d.webp,red hair\r\n'
    (folder / "tags.csv").write_text(text, encoding="utf-8", newline="")
    assert tagged(folder).labels.tolist() == [[1, 0], [0, 0], [0, 1], [0, 0]]


def test_all_bad_rows_are_named_at_once(folder):
    table(
        folder,
        ("a.png", "blue hair"),
        ("gone.png", "blue hair"),
        (" ", "red hair"),
        ("b.JPG", " "),
        ("a.png", "red hair"),
        ("c.png", "1girl", "red eyes"),
        ("c.png",),
        ("tags.csv", "red hair"),
    )
    title, *lines = problems(folder)
    assert title == f"{folder / 'tags.csv'} has 7 bad rows:"
    assert lines == [
        "  row 3: 'gone.png' is no picture (.png, .jpg, .jpeg, .webp, .avif, .bmp) in the folder: correct the name, "
        "or remove the row",
        "  row 4: no file name, with the tags 'red hair': fill it in, or remove the row",
        "  row 5: 'b.JPG' has no tags: fill them in, or remove the row, and the picture counts as unlabeled",
        "  row 6: 'a.png' has row 2 already: keep one of the two",
        "  row 7: 3 columns, expected 2: put tags with commas between double quotes",
        "  row 8: 1 column, expected 2: write file,tags",
        "  row 9: 'tags.csv' is no picture (.png, .jpg, .jpeg, .webp, .avif, .bmp) in the folder: correct the name, "
        "or remove the row",
    ]


def test_of_many_bad_rows_eight_are_shown(folder):
    table(folder, ("a.png", "blue hair"), *[(f"gone{i}.png", "blue hair") for i in range(11)])
    lines = problems(folder)
    assert lines[0].endswith("has 11 bad rows:")
    assert [line.split(":")[0].strip() for line in lines[1:]] == [f"row {i}" for i in range(3, 11)] + ["and 3 more"]


def test_pictures_that_cannot_be_decoded_are_named_at_once(folder):
    whole = (folder / "a.png").read_bytes()
    (folder / "a.png").write_bytes(whole[: len(whole) // 2])
    (folder / "c.png").write_bytes(b"no picture")
    title, first, second = problems(folder)
    assert title == f"{folder} has 2 pictures that cannot be decoded; replace or remove them:"
    assert first.startswith("  a.png: ")
    assert second.startswith("  c.png: ")


@pytest.mark.parametrize("ask", [lambda root: tag_names(str(root), NOUNS), tagged])
def test_a_missing_table_says_what_to_do(tmp_path, ask):
    expected = r"tags.csv cannot be read \(No such file or directory\): set data.root to a folder .* file,tags"
    with pytest.raises(UserError, match=expected):
        ask(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a.png,blue hair\n", r"its first row is 'a.png,blue hair', expected the header 'file,tags'"),
        (b"", r"its first row is '', expected the header 'file,tags'"),
        (b"file,tags\na.png,\xff\n", r"is no CSV file in UTF-8 .*: save it as one"),
        (b'file,tags\na.png,"blue hair\n', r"is no CSV file in UTF-8 \(unexpected end of data\): save it as one"),
    ],
)
def test_what_is_no_table(folder, content, message):
    (folder / "tags.csv").write_bytes(content)
    with pytest.raises(UserError, match=message):
        tag_names(str(folder), NOUNS)


def test_a_folder_without_pictures(tmp_path):
    table(tmp_path, ("a.png", "blue hair"))
    assert "has no pictures: expected files that end in .png, .jpg" in problems(tmp_path)[0]


def test_texts_without_a_tag(folder):
    table(folder, ("a.png", "1girl"))
    assert "before one of data.nouns=['hair', 'eyes'], as in 'blue hair'" in problems(folder)[0]


def test_the_wrong_number_of_tags(folder):
    with pytest.raises(UserError, match=r"data.condition_dim=2: TaggedImages has 3 labels"):
        tagged(folder, condition_dim=2)


def test_the_configuration_counts_the_tags(folder, monkeypatch):
    from tests.conftest import PROJECT

    monkeypatch.setenv("GAN_LIGHTNING_TAGGED", str(folder))
    OmegaConf.register_new_resolver("count_tags", lambda root, nouns: len(tag_names(root, nouns)), replace=True)
    config = OmegaConf.create({"seed": 0, "data": OmegaConf.load(PROJECT / "conf" / "data" / "tagged_images.yaml")})
    assert config.data.condition_dim == 3


def test_a_share_is_put_aside(tmp_path):
    for number in range(20):
        picture(tmp_path / f"{number:02d}.png", (10 * number, 0, 0))
    table(tmp_path, *((f"{number:02d}.png", "red hair") for number in range(20)))
    arguments = {"root": str(tmp_path), "batch_size": 1, "condition_dim": 1}
    data = TaggedImages([3, 8, 8], test_fraction=0.25, **arguments)
    levels = {split: set(data.load(split)[0][:, 0, 0, 0].tolist()) for split in ("train", "test")}
    assert len(levels["test"]) == 5
    assert levels["train"] | levels["test"] == set(range(0, 200, 10))
    assert not levels["train"] & levels["test"]
    with pytest.raises(UserError, match=r"data.test_fraction=0.0: no picture .* Train with data.test_fraction=0.1"):
        TaggedImages([3, 8, 8], **arguments).load("test")
