"""Files of the cache of evaluations: a damaged one is made again, with one line that says so."""

import hashlib

import numpy as np
import pytest
import torch
from PIL import Image

from gan_lightning.data import Digits, ImageFolder
from gan_lightning.errors import UserError
from gan_lightning.evaluation import Classifier, Random, classifier, reference
from gan_lightning.evaluation.cache import cached
from gan_lightning.evaluation.reference import Reference
from gan_lightning.evaluation.weights_file import fetch
from gan_lightning.files import PARTS
from gan_lightning.tensor_file import digest_of


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def damaged(path, damage):
    content = bytearray(path.read_bytes())
    if damage == "bit":
        content[-1] ^= 1
    path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"" if damage == "empty" else content)


@pytest.mark.parametrize("damage", ["bit", "cut", "empty"])
def test_a_damaged_file_is_made_again(cache, capsys, damage):
    made = []

    def make():
        made.append(torch.arange(100.0))
        return {"vectors": made[-1]}, {"text": "a"}

    for _ in range(2):
        tensors, texts = cached("x", make)
        assert (tensors["vectors"].sum(), texts) == (4950, {"text": "a"})
    assert (len(made), capsys.readouterr().out) == (1, "")
    (path,) = cache.glob("x*")
    damaged(path, damage)
    for _ in range(2):
        tensors, texts = cached("x", make)
        assert (tensors["vectors"].sum(), texts) == (4950, {"text": "a"})
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(str(path))
    assert "damaged" in line
    assert line.endswith(". It is made again")
    assert len(made) == 2
    assert not list(cache.glob(PARTS))


def test_features_and_baseline(cache, capsys):
    def measured():
        reference = Reference(Random(), Digits([1, 8, 8]), "test")
        return reference.features.vectors.clone(), reference.baseline(100, 2)

    features, baseline = measured()
    paths = sorted(cache.glob("*.safetensors"))
    assert [path.name.split("_")[0] for path in paths] == ["baseline", "features"]
    for path in paths:
        damaged(path, "bit")
    again, baseline_again = measured()
    assert torch.equal(features, again)
    assert baseline == baseline_again
    assert len(baseline["metrics"]) == 2
    assert capsys.readouterr().out.count("damaged") == 2


@pytest.fixture
def folder(tmp_path):
    """Pictures of random pixels of two classes."""
    for number, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (8, 9, 9, 3), np.uint8)):
        path = tmp_path / "pictures" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return str(tmp_path / "pictures")


class Negatives(ImageFolder):
    def load(self, split):
        images, labels = super().load(split)
        return 255 - images, labels


class Shuffled(ImageFolder):
    def load(self, split):
        images, labels = super().load(split)
        return images.flip(0), labels


def test_pixels_in_a_file_of_the_cache_are_read_once_for_their_digest(folder, cache, monkeypatch):
    def digest(kind=ImageFolder, extractor=Random, **changes):
        data = kind(**{"image_shape": [3, 9, 9], "root": folder, "batch_size": 1, "condition_dim": 2} | changes)
        found = Reference(extractor(), data, "train")
        assert found.images_digest == digest_of(data.split("train")[0])
        return found.images_digest

    def digest_of_no_pixels(*parts):
        assert not any(isinstance(part, torch.Tensor) and part.ndim == 4 and len(part) == 8 for part in parts)
        return digest_of(*parts)

    variants = {"kind": Negatives}, {"kind": Shuffled}, {"limit": 7}, {"image_shape": [1, 9, 9]}
    found = [digest(), *(digest(**changes) for changes in variants)]
    assert len(set(found)) == len(found)
    with monkeypatch.context() as patch:
        patch.setattr(reference, "digest_of", digest_of_no_pixels)
        assert digest() == found[0]
        with pytest.raises(AssertionError):
            digest(Negatives)
    Image.new("RGB", (9, 9)).save(f"{folder}/a/0.png")
    assert digest() not in found


def test_pictures_are_resized_once_for_their_classifier(folder, cache, monkeypatch):
    monkeypatch.setattr(Classifier, "IMAGES_SEEN", 64)
    monkeypatch.setattr(Classifier, "LARGEST", 8)

    def weights(kind=ImageFolder):
        extractor = Classifier()
        extractor.prepare(kind([3, 9, 9], root=folder, batch_size=1, condition_dim=2))
        return extractor.digest

    class Swapped(ImageFolder):
        def load(self, split):
            images, labels = super().load(split)
            return images, 1 - labels

    first = weights()
    assert len(list(cache.glob("classifier_*"))) == 1
    with monkeypatch.context() as patch:
        patch.setattr(classifier, "fit_to", lambda *_: pytest.fail("resized again"))
        assert weights() == first
    assert len({first, weights(Swapped), weights(Negatives)}) == 3


def test_downloaded_weights_are_those_of_their_name(tmp_path, monkeypatch, capsys):
    content = b"the weights"
    path = tmp_path / f"weights-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    downloads = []

    def download(url, file, prefix):
        downloads.append((url, prefix))
        with open(file, "wb") as out:
            out.write(content)

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    left = tmp_path / f"{path.name}.0123.partial"
    left.touch()
    for _ in range(2):
        fetch("https://a/b", path, "metrics=inception", "or choose another")
    assert downloads == [("https://a/b", path.stem.split("-")[1])]
    assert not left.exists()
    damaged(path, "bit")
    fetch("https://a/b", path, "metrics=inception", "or choose another")
    assert len(downloads) == 2
    assert capsys.readouterr().out.startswith(f"{path} is damaged: its SHA-256 does not begin with {downloads[0][1]}")
    assert path.read_bytes() == content
    damaged(path, "cut")

    def unreachable(*_):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    with pytest.raises(UserError, match=r"is missing or damaged, and the download failed \(no network\)"):
        fetch("https://a/b", path, "metrics=inception", "or choose another")
