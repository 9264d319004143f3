import json
import re
import shutil

import pytest
import torch

from gan_lightning.cli.evaluate import main
from gan_lightning.evaluation.features import Extractor
from tests.conftest import TINY
from tests.data.test_data import write_idx

QUICK = ("--num", "300", "--repeats", "2")


def evaluate(*arguments) -> None:
    main([str(argument) for argument in arguments])


def refusal(*arguments) -> str:
    with pytest.raises(SystemExit) as leaving:
        evaluate(*arguments)
    assert leaving.value.code not in (0, None)
    return str(leaving.value.code)


@pytest.fixture
def run(trained, tmp_path):
    """The folder of a run, to be evaluated in."""
    return trained(*TINY, "trainer.max_steps=30").copy(tmp_path / "run").folder


def read(folder) -> dict:
    return json.loads((folder / "evaluation.json").read_text())


def test_a_certificate(run, capfd):
    evaluate(run, *QUICK)
    found = read(run)
    assert len(found["repeats"]) == 2
    metric = found["metrics"]["fid"]
    values = torch.tensor([repeat["fid"] for repeat in found["repeats"]], dtype=torch.float64)
    assert metric["value"] == pytest.approx(values.mean().item())
    assert metric["std"] == pytest.approx(values.std().item())
    assert 0 < metric["baseline"] < metric["value"] / 3  # real digits are nearer to real digits than noise is
    assert (
        found["protocol"] | {"num": 300, "repeats": 2, "split": "test", "seed": 0, "real_images": 360}
        == found["protocol"]
    )
    assert found["weights"] == "ema"
    assert found["checkpoint"]["step"] == 30
    assert not found["memorization"]["flagged"]
    assert (run / "evaluation.png").exists()
    printed = capfd.readouterr().out
    assert re.search(r"fid ↓ +[\d.]+ ± [\d.]+ +[\d.]+ ± ", printed)
    assert "no sign of memorization" in printed


@pytest.mark.slow
def test_the_same_again_and_the_raw_weights(run):
    for name, options in {"a": (), "b": (), "raw": ("--raw",), "seed": ("--seed", "1")}.items():
        evaluate(run, *QUICK, *options, "--out", run / f"{name}.json")
    a, b, raw, seed = (json.loads((run / f"{name}.json").read_text()) for name in ("a", "b", "raw", "seed"))
    assert a["metrics"] == b["metrics"]
    assert raw["weights"] == "raw"
    for other in (raw, seed):
        assert other["metrics"]["fid"]["value"] != a["metrics"]["fid"]["value"]
        assert other["metrics"]["fid"]["baseline"] == a["metrics"]["fid"]["baseline"]


def test_real_features_and_floor_are_computed_once(run, monkeypatch):
    evaluate(run, *QUICK)
    read_images = []
    call = Extractor.__call__
    monkeypatch.setattr(
        Extractor, "__call__", lambda self, images: read_images.append(len(images)) or call(self, images)
    )
    evaluate(run, *QUICK)
    assert sum(read_images) == 600  # the generated ones alone


def test_comparison(run, train, capfd):
    other = train("other", *TINY, "trainer.max_steps=60", "callbacks.ema=null").folder
    for folder in (run, other):
        evaluate(folder, *QUICK)
    capfd.readouterr()
    evaluate("--compare", run, other)
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].split() == ["run", "other", "real", "data,", "300", "images"]
    assert lines[-2].split() == ["step", "30", "60"]
    assert lines[-1].split() == ["weights", "ema", "raw"]
    row = next(line for line in lines if line.startswith("fid"))
    assert [f"{read(folder)['metrics']['fid']['value']:.4g}" in row for folder in (run, other)] == [True, True]


def test_checkpoints_of_one_run(run, capfd):
    last = run / "checkpoints" / "last.ckpt"
    shutil.copy(last, run / "checkpoints" / "best.ckpt")
    evaluate(last, *QUICK)
    evaluate(run / "checkpoints" / "best.ckpt", *QUICK, "--raw")
    assert {path.name for path in run.glob("eval*")} == {
        f"{name}.{kind}" for name in ("evaluation", "evaluation_best") for kind in ("json", "png")
    }
    capfd.readouterr()
    evaluate("--compare", run, run / "checkpoints" / "best.ckpt")
    assert capfd.readouterr().out.splitlines()[-1].split() == ["weights", "ema", "raw"]


def test_figures_without_a_number(run, monkeypatch):
    from gan_lightning.evaluation import reference

    original = reference.metrics
    monkeypatch.setattr(reference, "metrics", lambda *a: original(*a) | {"class_kl": float("inf")})
    evaluate(run, "--num", "301", "--repeats", "2")
    assert read(run)["metrics"]["class_kl"]["value"] is None


def test_protocols_that_differ_are_not_compared(run):
    shutil.copytree(run, run.parent / "other")
    evaluate(run, *QUICK)
    evaluate(run.parent / "other", "--num", "200", "--repeats", "2", "--split", "train", "--extractor", "random")
    message = refusal("--compare", run, run.parent / "other")
    for difference in ("num: 300 in", "split: 'test' in", "extractor: 'classifier' in", "real_hash: "):
        assert difference in message
    assert "repeats" not in message


@pytest.mark.slow
def test_data_that_lies_elsewhere(train, tmp_path):
    images = torch.randint(256, (700, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    write_idx(tmp_path / "here", images, torch.arange(700) % 10)
    options = ("data=mnist", f"data.root={tmp_path}/here", "data.download=false", "data.limit=500")
    run = train("run", *options, *TINY, "trainer.max_steps=3").folder
    (tmp_path / "here").rename(tmp_path / "there")
    assert "MNIST is not in" in refusal(run, *QUICK)
    evaluate(run, *QUICK, "--root", tmp_path / "there")
    assert read(run)["protocol"]["real_images"] == 700
    assert read(run)["memorization"]["training_images"] == 500


def test_a_folder_that_only_the_checkpoint_names(run, tmp_path):
    """It may come from elsewhere, and the report would show pictures of that folder."""
    path, pictures = run / "checkpoints" / "last.ckpt", tmp_path / "pictures"
    spec = {"_target_": "gan_lightning.data.MNIST", "image_shape": [1, 8, 8], "root": str(pictures), "download": True}
    torch.save(torch.load(path, weights_only=True) | {"data": spec}, path)
    assert f"on whose data no run of yours has trained. To compare with it, add --root {pictures}" in refusal(
        run, *QUICK
    )
    message = refusal(run, *QUICK, "--root", pictures)
    assert "MNIST is not in" in message
    assert "--download" in message
    assert not pictures.exists()
    torch.save(torch.load(path, weights_only=True) | {"data": spec | {"image_shape": "evil"}}, path)
    assert "data.image_shape='evil'" in refusal(run, *QUICK, "--root", pictures)


def test_a_data_set_of_the_hub(run, tmp_path, monkeypatch):
    """It is asked with --download alone, also for a checkpoint that leaves it out; a folder has no revision."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    path = run / "checkpoints" / "last.ckpt"
    spec = {"_target_": "gan_lightning.data.HuggingFace", "image_shape": [1, 8, 8], "root": "me/made", "revision": "v1"}
    torch.save(torch.load(path, weights_only=True) | {"data": spec}, path)
    assert "data.download is false" in refusal(run, *QUICK, "--root", "me/made")
    (tmp_path / "empty").mkdir()
    assert f"data.root={tmp_path}/empty: it cannot be opened" in refusal(run, *QUICK, "--root", tmp_path / "empty")


def test_the_fid_of_each_class(trained, tmp_path, capfd):
    run = trained(*TINY, "model=cgan", "trainer.max_steps=10").copy(tmp_path / "run").folder
    evaluate(run, "--num", "20", "--repeats", "1", "--intra-fid", "20")
    found = read(run)
    assert list(found["intra_fid"]["classes"]) == list("0123456789")
    assert found["metrics"]["intra_fid"]["value"] > found["metrics"]["intra_fid"]["baseline"]
    printed = capfd.readouterr().out
    assert re.search(r"intra_fid ↓ +\d", printed)
    assert "FID of each class: " in printed
    assert "10 of 10 classes have too few images" in printed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--weights", "x.pth"), "--weights x.pth: belongs to --extractor inception or dinov2, not classifier"),
        (("--extractor", "dinov2"), "metrics=dinov2 needs callbacks.evaluation.extractor.weights=FILE: a file such as"),
        (("--sfid",), "--sfid: belongs to --extractor inception, not classifier"),
        (("--resizing", "clean"), "--resizing clean: belongs to --extractor inception"),
        (("--num", "1"), "2"),
        (("--root", "x"), "--root x: gan_lightning.data.Digits needs no files"),
        (("--extractor", "inception", "--weights", "x.pth"), "x.pth is missing, or no weights"),
        (("--device", "gpu5"), "--device gpu5"),
        (("--intra-fid", "20"), "--intra-fid: this model was trained without labels"),
    ],
)
def test_options_that_do_not_fit(run, options, message):
    assert message in refusal(run, *QUICK, *options)
    assert not (run / "evaluation.json").exists()


def test_what_has_no_report(run, tmp_path):
    assert f"Create it: gan-evaluate {run}" in refusal("--compare", run)
    (tmp_path / "x.json").write_text("[]")
    assert "x.json is not an evaluation report" in refusal("--compare", tmp_path / "x.json")
    assert refusal() == "2"


@pytest.mark.slow
def test_samples_that_are_no_images(train):
    run = train("run", "experiment=gaussian_1d", "trainer=cpu", "trainer.max_steps=2", "callbacks.samples=null").folder
    assert "Gaussian1D has no images to evaluate" in refusal(run, *QUICK)
