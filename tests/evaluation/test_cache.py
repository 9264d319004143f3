"""Files of the cache of evaluations: a damaged one is made again, with one line that says so."""

import hashlib

import pytest
import torch

from gan_lightning.data import Digits
from gan_lightning.errors import UserError
from gan_lightning.evaluation import Random
from gan_lightning.evaluation.cache import cached
from gan_lightning.evaluation.inception import _fetch
from gan_lightning.evaluation.reference import Reference
from gan_lightning.files import PARTS


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
        _fetch("https://a/b", path)
    assert downloads == [("https://a/b", path.stem.split("-")[1])]
    assert not left.exists()
    damaged(path, "bit")
    _fetch("https://a/b", path)
    assert len(downloads) == 2
    assert capsys.readouterr().out.startswith(f"{path} is damaged: its SHA-256 does not begin with {downloads[0][1]}")
    assert path.read_bytes() == content
    damaged(path, "cut")

    def unreachable(*_):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    with pytest.raises(UserError, match=r"is missing or damaged, and the download failed \(no network\)"):
        _fetch("https://a/b", path)
