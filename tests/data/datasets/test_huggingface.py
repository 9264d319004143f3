"""Data sets of the library Datasets, from files; the hub is not asked."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_lightning.config.check import check
from gan_lightning.data import HuggingFace
from gan_lightning.data.io import decoding, rows
from gan_lightning.errors import UserError
from tests.conftest import TINY, composed

datasets = pytest.importorskip("datasets")
NAMES = ["cat", "dog"]


@pytest.fixture(autouse=True)
def own_caches(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("caches")
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", str(folder / "ours"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "theirs")
    datasets.disable_progress_bars()
    return folder / "ours"


def png(level, size=(8, 8)):
    file = io.BytesIO()
    Image.fromarray(np.full((*size, 3), level, np.uint8)).save(file, "png")
    return {"bytes": file.getvalue(), "path": None}


def table(levels, **more):
    """Gray levels; even ones are cats, odd ones are dogs."""
    columns = {
        "picture": [png(level) for level in levels],
        "kind": [level % 2 for level in levels],
    } | more
    features = {"picture": datasets.Image(), "kind": datasets.ClassLabel(names=NAMES)}
    made = datasets.Dataset.from_dict(columns)
    for name, feature in features.items():
        if name in columns and name not in more:
            made = made.cast_column(name, feature)
    return made


def folder_of_parquet(root, **splits):
    (root / "data").mkdir(parents=True, exist_ok=True)
    for name, made in splits.items():
        made.to_parquet(root / "data" / f"{name}-00000-of-00001.parquet")
    return root


def opened(root, shape=(3, 8, 8), **changes):
    data = HuggingFace(list(shape), root=str(root), **{"batch_size": 1} | changes)
    data.setup()
    return data


def seen(images, labels):
    return sorted(zip(images[:, 0, 0, 0].tolist(), labels.tolist(), strict=True))


def saved(root):
    datasets.DatasetDict(train=table(range(20)), test=table(range(50, 55))).save_to_disk(root)
    return root


def parquet(root, **more):
    return folder_of_parquet(root, train=table(range(20), **more), test=table(range(50, 55)))


# What is read


@pytest.mark.parametrize("make", [saved, parquet])
def test_a_folder_with_splits(tmp_path, make):
    data = opened(make(tmp_path / "made"))
    assert seen(*data.load("train")) == [(level, level % 2) for level in range(20)]
    assert seen(*data.load("test")) == [(level, level % 2) for level in range(50, 55)]
    assert (data.condition_names(), data.has_test()) == (NAMES, True)
    assert data.vocabulary.names == ("cat", "dog")
    with pytest.raises(UserError, match=r"data.test_fraction=0.5: .*made has the split test already; expected 0"):
        opened(data.root, test_fraction=0.5)


def test_one_file_of_which_a_part_is_put_aside(tmp_path):
    table(range(100)).to_parquet(tmp_path / "all.parquet")
    data = opened(tmp_path / "all.parquet", test_fraction=0.3)
    (train, _), (aside, _) = data.load("train"), data.load("test")
    levels = [set(images[:, 0, 0, 0].tolist()) for images in (train, aside)]
    assert len(aside) == pytest.approx(30, abs=15)
    assert levels[0] | levels[1] == set(range(100))
    assert not levels[0] & levels[1]
    assert train[:, 0, 0, 0].tolist() != sorted(levels[0])
    assert not opened(data.root).has_test()


def test_pictures_are_decoded_once(tmp_path, own_caches, monkeypatch):
    table(range(20)).to_parquet(tmp_path / "all.parquet")
    first = opened(tmp_path / "all.parquet").train
    with monkeypatch.context() as patch:
        patch.setattr(decoding, "read_picture", lambda *_: pytest.fail("decoded again"))
        again = opened(tmp_path / "all.parquet").train
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.labels, again.labels)
    table(range(20, 40)).to_parquet(tmp_path / "all.parquet")
    assert sorted(opened(tmp_path / "all.parquet").train.images[:, 0, 0, 0].tolist()) == list(range(20, 40))
    assert len(list(own_caches.glob("*.uint8"))) == 2


def test_pictures_beside_the_rows_that_change_in_place(tmp_path, own_caches):
    """`to_parquet` keeps their paths alone, as `save_to_disk` did in some versions."""
    paths = [str(tmp_path / f"{level}.png") for level in range(3)]
    for level, path in enumerate(paths):
        Path(path).write_bytes(png(level)["bytes"])
    file = tmp_path / "all.parquet"
    beside = datasets.Dataset.from_dict({"picture": [*paths, None]}).cast_column("picture", datasets.Image())
    datasets.concatenate_datasets([beside, table([8, 9]).select_columns(["picture"])]).to_parquet(file)
    for _ in range(2):
        assert opened(file, skip_bad=True).train.images[:, 0, 0, 0].sum() == 0 + 1 + 2 + 8 + 9
        assert len(list(own_caches.glob("*.uint8"))) == 1
    Path(paths[1]).write_bytes(png(77, (9, 9))["bytes"])
    assert opened(file, skip_bad=True).train.images[:, 0, 0, 0].sum() == 0 + 77 + 2 + 8 + 9
    Path(paths[1]).unlink()
    with pytest.raises(UserError, match=r"1\.png"):
        opened(file, skip_bad=True)


def test_splits_by_other_names(tmp_path):
    root = folder_of_parquet(tmp_path, train=table(range(4)), validation=table(range(50, 53)))
    assert not opened(root).has_test()
    data = opened(root, test_split="validation")
    assert seen(*data.load("test")) == [(50, 0), (51, 1), (52, 0)]
    assert len(opened(root, train_split="validation").train.images) == 3
    for key in ("train_split", "test_split"):
        with pytest.raises(UserError, match=rf"data.{key}=tset: .* no such split; expected one of train, validation"):
            opened(root, **{key: "tset"})
    for changes in ({"test_split": "train"}, {"test_split": "validation", "train_split": "validation"}):
        with pytest.raises(UserError, match=rf"data.test_split={changes['test_split']}: it is data.train_split, too"):
            opened(root, **changes)
    with pytest.raises(UserError, match=r"data.test_fraction=0.0: no picture .* is put aside"):
        opened(root).load("test")


def test_subsets_and_revisions_where_there_are_none(tmp_path):
    table(range(4)).to_parquet(tmp_path / "all.parquet")
    for place in (tmp_path / "all.parquet", saved(tmp_path / "saved")):
        with pytest.raises(UserError, match=r"data.subset=nonsense: .* has no subsets; expected null"):
            opened(place, subset="nonsense")
    for place in (tmp_path / "all.parquet", tmp_path / "saved", parquet(tmp_path / "folder")):
        with pytest.raises(UserError, match=r"data.revision=main: .* is not on the hub, .*; expected null"):
            opened(place, revision="main")
    with pytest.raises(UserError, match=r"it cannot be opened: .*nonsense"):
        opened(tmp_path / "folder", subset="nonsense")


def test_a_null_is_no_class(tmp_path):
    table(range(3), word=["None", None, "a"]).to_parquet(tmp_path / "all.parquet")
    data = opened(tmp_path / "all.parquet", label_column="word")
    assert (data.condition_names(), seen(*data.load("train"))) == (["None", "a"], [(0, 0), (1, -1), (2, 1)])
    datasets.Dataset.from_dict({"picture": [png(0)] * 2, "flag": [None, True]}).to_parquet(tmp_path / "flags.parquet")
    flags = opened(tmp_path / "flags.parquet", image_column="picture", label_column="flag")
    assert flags.condition_names() == ["True"]
    assert sorted(flags.train.labels.tolist()) == [-1, 0]


def test_columns_by_name(tmp_path):
    made = table(range(6), other=[png(level + 100) for level in range(6)], raw=[png(9)["bytes"]] * 6)
    made = made.cast_column("other", datasets.Image())
    made = made.add_column("word", ["b", "a", None, "b", "a", "b"]).add_column("number", [30, 7, 7, 30, 7, 7])
    made = made.add_column("real", [0.5] * 6)
    made.to_parquet(tmp_path / "all.parquet")
    file = tmp_path / "all.parquet"
    assert opened(file, image_column="other").train.images.min() == 100
    assert opened(file, image_column="raw").train.images.unique().tolist() == [9]
    word = opened(file, image_column="picture", label_column="word")
    assert (word.condition_names(), seen(*word.load("train"))) == (
        ["a", "b"],
        [(0, 1), (1, 0), (2, -1), (3, 1), (4, 0), (5, 1)],
    )
    assert opened(file, image_column="picture", label_column="number").condition_names() == ["7", "30"]
    for changes, message in (
        ({}, r"data.image_column=null: 2 columns are images, so that it has to be set. The columns are picture"),
        ({"image_column": "pictures"}, r"=pictures: there is no such column. The columns are picture \(.*, kind \(int"),
        ({"image_column": "word"}, r"data.image_column=word: it has no images. The columns are picture"),
        ({"image_column": "other", "label_column": "real"}, r"data.label_column=real: expected labels, integers or te"),
        ({"image_column": "other", "label_column": "no"}, r"data.label_column=no: there is no such column. The colu"),
    ):
        with pytest.raises(UserError, match=message):
            opened(file, **changes)


def test_a_table_without_images(tmp_path):
    datasets.Dataset.from_dict({"text": ["a"], "n": [1]}).to_parquet(tmp_path / "all.parquet")
    with pytest.raises(UserError, match=r"no column is an image. The columns are text \(string\), n \(int64\)"):
        opened(tmp_path / "all.parquet")


def test_two_columns_of_labels(tmp_path):
    both = table(range(4), fine=[0, 1, 2, 1]).cast_column("fine", datasets.ClassLabel(names=["a", "b", "c"]))
    both.save_to_disk(tmp_path / "both")
    with pytest.raises(UserError, match=r"data.label_column=null: 2 columns are labels, so that it has to be set"):
        opened(tmp_path / "both")
    assert opened(tmp_path / "both", label_column="fine").condition_names() == ["a", "b", "c"]


def test_bad_pictures_are_named_by_their_rows(tmp_path):
    broken = {"bytes": png(7)["bytes"][:50], "path": None}
    rows = [1, {"bytes": b"no picture", "path": None}, 2, broken, None]
    datasets.Dataset.from_dict(
        {"picture": [png(row) if isinstance(row, int) else row for row in rows]},
        features=datasets.Features({"picture": datasets.Image()}),
    ).save_to_disk(tmp_path / "bad")
    with pytest.raises(UserError) as caught:
        opened(tmp_path / "bad")
    title, *lines = str(caught.value).splitlines()
    assert title.startswith(f"the split train of {tmp_path / 'bad'} has ")
    assert title.endswith("or leave them out with data.skip_bad=true:")
    assert [line.split(":")[0].strip() for line in lines] == ["row 1", "row 4"]
    assert sorted(opened(tmp_path / "bad", skip_bad=True).train.images[:, 0, 0, 0].tolist()) == [1, 2]


@pytest.mark.parametrize("content", [None, b"no table"])
def test_what_cannot_be_opened(tmp_path, content):
    path = tmp_path / "all.parquet"
    if content is None:
        with pytest.raises(UserError, match=r"all.parquet: expected a name on the hub, such as .* folder or file"):
            opened(path)
    else:
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"data.root=.*all.parquet: it cannot be opened: "):
            opened(path)


def test_the_hub_is_not_asked_without_leave(tmp_path, own_caches, monkeypatch):
    """What is in the cache of Datasets is found there."""
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.HfApi, "hf_hub_download", lambda *_, **__: pytest.fail("asked"))
    with pytest.raises(UserError, match=r"data.root=me/made: there is no such .* and data.download is false: Couldn't"):
        rows.count_labels("me/made", None, None, "train", None, False)
    rows.open_splits(str(parquet(tmp_path / "made")), None)
    (own_caches.parent / "theirs" / "made").rename(own_caches.parent / "theirs" / "me___made")  # as from the hub
    assert rows.count_labels("me/made", None, None, "train", None, False) == 2
    assert seen(*opened("me/made", download=False).load("test")) == [(level, level % 2) for level in range(50, 55)]


def test_a_commit_of_the_hub(tmp_path, own_caches, monkeypatch):
    """It is passed on; without a connection Datasets takes the newest one in its cache, whatever was asked."""
    rows.open_splits(str(parquet(tmp_path / "made")))
    cached = own_caches.parent / "theirs" / "me___made"
    (own_caches.parent / "theirs" / "made").rename(cached)
    (folder,) = (path for path in cached.glob("*/*/*") if path.is_dir())
    folder.rename(folder.with_name("a" * 40))
    assert len(opened("me/made", download=False, revision="a" * 40).train.images) == 20
    with pytest.raises(UserError, match=r"data.revision=b{40}: the hub was not reached, .* me/made .* is a{40}; expec"):
        opened("me/made", download=False, revision="b" * 40)
    asked = []
    load = datasets.load_dataset
    monkeypatch.setattr(datasets, "load_dataset", lambda *a, **k: asked.append(k["revision"]) or load(*a, **k))
    rows.open_splits("me/made", None, "v1", False)
    assert asked == ["v1"]


def test_labels_are_counted_once_by_each_check(tmp_path, monkeypatch):
    parquet(tmp_path / "made")
    counted = []
    count = rows.count_labels
    monkeypatch.setattr(rows, "count_labels", lambda *arguments: counted.append(arguments) or count(*arguments))
    config = composed("data=huggingface", f"data.root={tmp_path}/made", "data.label_column=kind", "model=cgan")
    assert check(config)["data"]["condition_dim"] == 2
    assert len(counted) == 1
    parquet(tmp_path / "made", kind=[5, 6, 7, 7] * 5)
    assert check(config)["data"]["condition_dim"] == 3
    assert len(counted) == 2


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(
        UserError, match=r"^data=huggingface needs datasets: pip install 'gan_lightning\[huggingface\]'"
    ):
        rows.count_labels("mnist", None, None, "train", None, False)


@pytest.mark.slow
def test_a_conditional_run_and_a_class_by_name(train, tmp_path):
    parquet(tmp_path / "made")
    options = ("data=huggingface", f"data.root={tmp_path}/made", "data.image_shape=[1,8,8]", "model=cgan")
    run = train("run", *TINY, *options, "data.batch_size=4", "trainer.max_steps=2")
    assert run.code == 0, run.output
    assert run.checkpoint["vocabulary"]["names"] == NAMES
    assert "gan-evaluate" in run.output
    assert "--split train" not in run.output
