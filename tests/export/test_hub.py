"""Folders for a hub: the model comes back whole, nothing of the machine goes along, and a stranger's runs no code."""

import json
import shutil
from pathlib import Path

import pytest
import torch

import gan_lightning
from gan_lightning.errors import UserError
from gan_lightning.export import from_pretrained, hub, push_to_hub, save_pretrained
from tests.export.saved import CLASSES, TAGS, small

huggingface_hub = pytest.importorskip("huggingface_hub")


def evaluated(checkpoint: Path, step: int) -> None:
    """Writes the evaluation report of a checkpoint."""
    metric = {"value": 12.5, "std": 0.5, "baseline": 1.0, "baseline_std": None, "better": "min"}
    report = {
        "metrics": {"fid": metric, "kid": metric | {"value": None}},
        "baseline": {"images": 100},
        "protocol": {"extractor": "classifier", "data": "Digits", "split": "test", "real_hash": "abc"},
        "weights": "ema",
        "checkpoint": {"path": str(checkpoint), "step": step},
    }
    checkpoint.with_name("evaluation_x.json").write_text(json.dumps(report))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = small(tmp_path_factory.mktemp("private place") / "x.ckpt", vocabulary=CLASSES)
    evaluated(path, step=7)
    return path


@pytest.fixture(scope="module")
def published(checkpoint, tmp_path_factory):
    return save_pretrained(checkpoint, tmp_path_factory.mktemp("published") / "new")


@pytest.fixture
def folder(published, tmp_path):
    """A copy to spoil."""
    return shutil.copytree(published, tmp_path / "copy")


@pytest.mark.parametrize("vocabulary", [None, TAGS], ids=["none", "tags"])
def test_the_model_comes_back(tmp_path, vocabulary):
    path = small(tmp_path / "x.ckpt", vocabulary=vocabulary)
    one, other = gan_lightning.load(path), from_pretrained(save_pretrained(path, tmp_path / "y"))
    assert other.spec == one.spec
    assert not other.training
    for raw in (False, True):
        assert torch.equal(other.sample(70, seed=1, raw=raw), one.sample(70, seed=1, raw=raw))


def test_what_is_in_the_folder(published, checkpoint):
    assert {path.name for path in published.iterdir()} == {
        "README.md",
        "config.json",
        "model.safetensors",
        "samples.png",
    }
    model = from_pretrained(published)
    assert torch.equal(model.sample(3, label="class 4"), gan_lightning.load(checkpoint).sample(3, label=4))
    for path in published.iterdir():
        assert b"private place" not in path.read_bytes()


def test_the_card(published):
    card = huggingface_hub.ModelCard.load(published / "README.md")
    assert card.data.license is None
    assert card.data.to_dict()["library_name"] == "gan_lightning"
    (result,) = card.data.eval_results
    assert (result.metric_type, result.metric_value, result.dataset_name) == ("fid", 12.5, "Digits")
    assert "| fid ↓ | 12.5 ± 0.5 | 1 |" in card.text
    assert "conditioned on 10 classes, trained for 7 batches" in card.text


def test_a_card_has_no_metrics_of_another_step(tmp_path):
    path = small(tmp_path / "x.ckpt")
    evaluated(path, step=6)
    card = huggingface_hub.ModelCard.load(save_pretrained(path, tmp_path / "y") / "README.md")
    assert card.data.eval_results is None
    assert "Quality" not in card.text


def test_a_folder_that_is_not_empty(published, checkpoint):
    with pytest.raises(UserError, match="expected a new or an empty folder"):
        save_pretrained(checkpoint, published)


def test_nothing_stays_of_a_failure(tmp_path):
    path = small(tmp_path / "x.ckpt")
    report = tmp_path / "evaluation_x.json"
    report.write_text("{")
    with pytest.raises(UserError, match=r"evaluation_x\.json is not an evaluation report"):
        save_pretrained(path, tmp_path / "y")
    assert sorted(tmp_path.iterdir()) == [report, path]
    report.unlink()
    from_pretrained(save_pretrained(path, tmp_path / "y"))


def test_nothing_stays_of_a_folder_that_could_not_be_written(tmp_path, monkeypatch):
    path = small(tmp_path / "x.ckpt")

    def fail(*_):
        raise OSError("no space")

    monkeypatch.setattr(hub, "write_json", fail)
    with pytest.raises(OSError, match="no space"):
        save_pretrained(path, tmp_path / "y")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"generator": {"_target_": "os.system", "command": "touch ran"}}, "os.system is not a class"),
        ({"generator": {"_target_": "torch.load", "f": "x"}}, "is not a class that a configuration may name here"),
        ({"latents": list(range(20_000))}, "more than 10,000 values"),
    ],
)
def test_a_description_that_would_do_more(folder, change, message):
    config = json.loads((folder / "config.json").read_text())
    config["model"] |= change
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=message):
        from_pretrained(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [("{}", "no 'model'"), ("[1]", "is damaged"), ('{"format": 99, "model": {}}', "a later version has written")],
)
def test_a_description_that_is_none(folder, content, message):
    (folder / "config.json").write_text(content)
    with pytest.raises(UserError, match=message):
        from_pretrained(folder)


def test_another_folder(tmp_path):
    with pytest.raises(UserError, match=r"has no config\.json: expected a folder of save_pretrained"):
        from_pretrained(tmp_path)


def test_damaged_weights(folder):
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-100] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(UserError, match="is damaged"):
        from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"model\.safetensors: No such file"):
        from_pretrained(folder)


def test_a_repository_is_downloaded(published, monkeypatch):
    asked = []

    def snapshot_download(repo_id, *, revision, allow_patterns):
        asked.append((repo_id, revision, allow_patterns))
        return str(published)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert from_pretrained("someone/digits", revision="v1").vocabulary.names == CLASSES.names
    assert asked == [("someone/digits", "v1", ["config.json", "model.safetensors"])]


def test_a_repository_that_cannot_be_read(monkeypatch):
    with pytest.raises(UserError, match="no folder a b//c, and no repository of this name could be read: Repo id must"):
        from_pretrained("a b//c")

    def refuse(*_, **__):
        raise ConnectionError("no network\nmore")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(UserError, match=r"could be read: no network$"):
        from_pretrained("someone/digits")


class FakeApi:
    """A hub that remembers what was uploaded."""

    card_exists = False
    uploaded: dict

    def create_repo(self, repo_id, *, private, exist_ok):
        assert (repo_id, private, exist_ok) == ("someone/digits", True, True)
        return "the address"

    def file_exists(self, repo_id, name):
        return self.card_exists

    def upload_folder(self, *, repo_id, folder_path, ignore_patterns):
        names = {path.name for path in Path(folder_path).iterdir()}
        type(self).uploaded = {repo_id: names - set(ignore_patterns or ())}


@pytest.mark.parametrize("card_exists", [False, True])
def test_an_upload_leaves_a_card_alone(checkpoint, monkeypatch, card_exists):
    monkeypatch.setattr(huggingface_hub, "HfApi", FakeApi)
    monkeypatch.setattr(FakeApi, "card_exists", card_exists)
    assert push_to_hub(checkpoint, "someone/digits", private=True) == "the address"
    names = {"config.json", "model.safetensors", "samples.png"} | (set() if card_exists else {"README.md"})
    assert FakeApi.uploaded == {"someone/digits": names}


def test_a_missing_package(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(hub.importlib.util, "find_spec", lambda name: None)
    for attempt in (
        lambda: save_pretrained(checkpoint, tmp_path / "y"),
        lambda: push_to_hub(checkpoint, "someone/digits"),
        lambda: from_pretrained("someone/digits"),
    ):
        with pytest.raises(UserError, match=r"pip install 'gan_lightning\[hub\]'"):
            attempt()
    assert not (tmp_path / "y").exists()


def test_a_folder_needs_no_package_to_be_read(published, monkeypatch):
    monkeypatch.setattr(hub.importlib.util, "find_spec", lambda name: None)
    assert from_pretrained(published).latent_dim == 16
