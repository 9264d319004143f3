"""torchvision's data sets from small files in the original formats."""

import csv
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets

from gan_lightning.data import CIFAR10, KMNIST, CelebA, FashionMNIST
from gan_lightning.errors import UserError
from tests.conftest import TINY
from tests.data.test_data import write_idx


@pytest.fixture
def unchecked(monkeypatch):
    """Lets files of our own pass for the originals, whose hashes torchvision knows."""
    for module in ("cifar", "celeba"):
        monkeypatch.setattr(f"torchvision.datasets.{module}.check_integrity", lambda path, _: Path(path).exists())


@pytest.mark.parametrize("data_set", [FashionMNIST, KMNIST])
def test_idx_files(tmp_path, data_set):
    images = torch.randint(0, 256, (10, 28, 28), dtype=torch.uint8)
    write_idx(tmp_path, images, torch.arange(10).flip(0), data_set.__name__)
    data = data_set([1, 28, 28], root=str(tmp_path), batch_size=5)
    data.prepare_data()
    data.setup()
    for found, labels in (data.load("test"), (data.train.images, data.train.labels)):
        assert torch.equal(found[:, 0], images)
        assert labels.tolist() == list(range(9, -1, -1))
    assert data.condition_names() == getattr(datasets, data_set.__name__).classes
    assert data.vocabulary.describe(data.vocabulary.examples[-1]) == data_set.names[9]


def test_classes_by_name_on_the_command_line(train, tmp_path):
    images = torch.randint(0, 256, (40, 28, 28), dtype=torch.uint8)
    write_idx(tmp_path, images, torch.arange(40) % 10, "FashionMNIST")
    options = ("data=fashion_mnist", f"data.root={tmp_path}", "model.conditional=true", "trainer.max_steps=1")
    run = train("run", *TINY, *options)
    assert run.code == 0, run.output
    assert run.checkpoint["vocabulary"]["names"][0] == "T-shirt/top"


def write_cifar(root, images, labels):
    """Rows of 3,072 bytes: red, green, blue, each row by row."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    names = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
    for name, rows, its in zip(names, np.split(images, 6), np.split(labels, 6), strict=True):
        content = {"data": rows.reshape(len(rows), 3072), "labels": its.tolist()}
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))
    classes = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": classes}, protocol=2))


def test_cifar_batches(tmp_path, unchecked):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (24, 3, 32, 32), dtype=np.uint8)
    labels = generator.integers(0, 10, 24)
    write_cifar(tmp_path, images, labels)
    data = CIFAR10([3, 32, 32], root=str(tmp_path), batch_size=5)
    data.prepare_data()
    data.setup()
    assert np.array_equal(data.train.images, images[:20])
    assert data.train.labels.tolist() == labels[:20].tolist()
    found, its = data.load("test")
    assert np.array_equal(found, images[20:])
    assert its.tolist() == labels[20:].tolist()
    assert list(data.condition_names()) == datasets.CIFAR10(str(tmp_path)).classes


ATTRIBUTES = CelebA.names


def write_celeba(root, splits, attributes):
    """Gray levels 10, 20, ... and the five lists; `attributes` are rows of -1 and 1."""
    folder = root / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    names = [f"{number:06d}.jpg" for number in range(1, len(splits) + 1)]
    for number, name in enumerate(names, 1):
        pixels = np.zeros((218, 178, 3), np.uint8)
        pixels[20:-20] = 10 * number  # black above and below the middle square
        Image.fromarray(pixels).save(folder / "img_align_celeba" / name)

    def table(file, rows, header=None):
        with (folder / file).open("w", newline="") as out:
            if header is not None:
                out.write(f"{len(rows)}\n{' '.join(header)} \n")
            csv.writer(out, delimiter=" ").writerows([name, *row] for name, row in zip(names, rows, strict=True))

    table("list_eval_partition.txt", [[split] for split in splits])
    table("identity_CelebA.txt", [[1] for _ in splits])
    table("list_bbox_celeba.txt", [[0] * 4 for _ in splits], ["image_id", "x_1", "y_1", "width", "height"])
    table("list_landmarks_align_celeba.txt", [[0] * 10 for _ in splits], ["x"] * 10)
    table("list_attr_celeba.txt", attributes.tolist(), ATTRIBUTES)


def test_celeba(tmp_path, unchecked):
    attributes = np.random.default_rng(0).choice([-1, 1], (6, 40))
    splits = [0, 1, 2, 0, 0, 2]  # 1: validation
    write_celeba(tmp_path, splits, attributes)
    data = CelebA([3, 16, 16], root=str(tmp_path), batch_size=1)
    data.prepare_data()
    data.setup()
    for number, split in ((0, "train"), (2, "test")):
        rows = [row for row, its in enumerate(splits) if its == number]
        images, labels = data.load(split)
        assert np.array_equal(labels, attributes[rows] == 1)
        for image, row in zip(images, rows, strict=True):
            assert (image[:, 1:-1].int() - 10 * (row + 1)).abs().max() <= 4
    assert list(data.condition_names()) == datasets.CelebA(str(tmp_path)).attr_names[:40]
    (tmp_path / "celeba" / "img_align_celeba" / "000004.jpg").unlink()
    with pytest.raises(UserError, match=r"000004.jpg cannot be read \(No such file or directory\): expected a"):
        data.load("train")


@pytest.mark.parametrize(
    ("data_set", "message"),
    [
        (FashionMNIST, r"FashionMNIST is not in .*FashionMNIST/raw, and data.download is false. Set data.root"),
        (KMNIST, r"KMNIST is not in .*/KMNIST/raw, .* a folder that contains KMNIST/raw/train-images-idx3-ubyte"),
        (CIFAR10, r"CIFAR10 is not in .*cifar-10-batches-py, .* unpacked from cifar-10-python.tar.gz"),
        (CelebA, r"CelebA is not in .*/celeba, .* contains celeba/ with img_align_celeba/ .*pip install gdown"),
    ],
)
def test_missing_files_say_what_where_and_what_to_do(tmp_path, data_set, message):
    with pytest.raises(UserError, match=message):
        data_set([1, 28, 28], root=str(tmp_path), download=False).prepare_data()


def test_celeba_without_gdown(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "gdown", None)
    with pytest.raises(UserError, match=r"the download failed \(.*gdown.* Set data.root to a folder .*celeba/ with"):
        CelebA([3, 16, 16], root=str(tmp_path), download=True).prepare_data()
