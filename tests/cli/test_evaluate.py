import json
import re
import shutil

import pytest
import torch

from gan_lightning.cli.evaluate import main
from gan_lightning.evaluation.features import Extractor
from tests.conftest import TINY

QUICK = ("--num", "300", "--repeats", "2")


def evaluate(*arguments) -> None:
    main([str(argument) for argument in arguments])


def refusal(*arguments) -> str:
    with pytest.raises(SystemExit) as leaving:
        evaluate(*arguments)
    assert leaving.value.code not in (0, None)
    return str(leaving.value.code)


@pytest.fixture
def trained(train):
    return train("run", *TINY, "trainer.max_steps=30").folder


def read(folder) -> dict:
    return json.loads((folder / "evaluation.json").read_text())


def test_a_certificate(trained, capfd):
    evaluate(trained, *QUICK)
    found = read(trained)
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
    assert (trained / "evaluation.png").exists()
    printed = capfd.readouterr().out
    assert re.search(r"fid ↓ +[\d.]+ ± [\d.]+ +[\d.]+ ± ", printed)
    assert "no sign of memorization" in printed


def test_the_same_again_and_the_raw_weights(trained):
    for name, options in {"a": (), "b": (), "raw": ("--raw",), "seed": ("--seed", "1")}.items():
        evaluate(trained, *QUICK, *options, "--out", trained / f"{name}.json")
    a, b, raw, seed = (json.loads((trained / f"{name}.json").read_text()) for name in ("a", "b", "raw", "seed"))
    assert a["metrics"] == b["metrics"]
    assert raw["weights"] == "raw"
    for other in (raw, seed):
        assert other["metrics"]["fid"]["value"] != a["metrics"]["fid"]["value"]
        assert other["metrics"]["fid"]["baseline"] == a["metrics"]["fid"]["baseline"]


def test_real_features_and_floor_are_computed_once(trained, monkeypatch):
    evaluate(trained, *QUICK)
    read_images = []
    call = Extractor.__call__
    monkeypatch.setattr(
        Extractor, "__call__", lambda self, images: read_images.append(len(images)) or call(self, images)
    )
    evaluate(trained, *QUICK)
    assert sum(read_images) == 600  # the generated ones alone


def test_comparison(trained, train, capfd):
    other = train("other", *TINY, "trainer.max_steps=60", "callbacks.ema=null").folder
    for folder in (trained, other):
        evaluate(folder, *QUICK)
    capfd.readouterr()
    evaluate("--compare", trained, other)
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].split() == ["run", "other", "baseline,", "300", "images"]
    assert lines[-2].split() == ["step", "30", "60"]
    assert lines[-1].split() == ["weights", "ema", "raw"]
    row = next(line for line in lines if line.startswith("fid"))
    assert [f"{read(folder)['metrics']['fid']['value']:.4g}" in row for folder in (trained, other)] == [True, True]


def test_checkpoints_of_one_run(trained, capfd):
    last = trained / "checkpoints" / "last.ckpt"
    shutil.copy(last, trained / "checkpoints" / "best.ckpt")
    evaluate(last, *QUICK)
    evaluate(trained / "checkpoints" / "best.ckpt", *QUICK, "--raw")
    assert {path.name for path in trained.glob("eval*")} == {
        f"{name}.{kind}" for name in ("evaluation", "evaluation_best") for kind in ("json", "png")
    }
    capfd.readouterr()
    evaluate("--compare", trained, trained / "checkpoints" / "best.ckpt")
    assert capfd.readouterr().out.splitlines()[-1].split() == ["weights", "ema", "raw"]


def test_figures_without_a_number(trained, monkeypatch):
    from gan_lightning.evaluation import reference

    original = reference.metrics
    monkeypatch.setattr(reference, "metrics", lambda *a: original(*a) | {"class_kl": float("inf")})
    evaluate(trained, "--num", "301", "--repeats", "2")
    assert read(trained)["metrics"]["class_kl"]["value"] is None


def test_protocols_that_differ_are_not_compared(trained):
    shutil.copytree(trained, trained.parent / "other")
    evaluate(trained, *QUICK)
    evaluate(trained.parent / "other", "--num", "200", "--repeats", "2", "--split", "train", "--extractor", "random")
    message = refusal("--compare", trained, trained.parent / "other")
    for difference in ("num: 300 in", "split: 'test' in", "extractor: 'classifier' in", "real_hash: "):
        assert difference in message
    assert "repeats" not in message


def test_data_that_lies_elsewhere(train, mnist_root, tmp_path):
    options = ("data=mnist", f"data.root={mnist_root}", "data.limit=500", *TINY, "trainer.max_steps=3")
    run = train("run", *options).folder
    checkpoint = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    checkpoint["config"]["data"] |= {"root": str(tmp_path / "gone"), "download": False}
    torch.save(checkpoint, run / "checkpoints" / "last.ckpt")
    assert "MNIST is not in" in refusal(run, *QUICK)
    evaluate(run, *QUICK, "--root", mnist_root)
    assert read(run)["protocol"]["real_images"] == 10_000
    assert read(run)["memorization"]["training_images"] == 500


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--weights", "x.pth"), "--weights x.pth: belongs to --extractor inception"),
        (("--num", "1"), "2"),
        (("--root", "x"), "--root x: gan_lightning.data.Digits needs no files"),
        (("--extractor", "inception", "--weights", "x.pth"), "x.pth is missing, or no weights"),
        (("--device", "gpu5"), "--device gpu5"),
    ],
)
def test_options_that_do_not_fit(trained, options, message):
    assert message in refusal(trained, *QUICK, *options)
    assert not (trained / "evaluation.json").exists()


def test_what_has_no_certificate(trained, tmp_path):
    assert f"Make it: gan-evaluate {trained}" in refusal("--compare", trained)
    (tmp_path / "x.json").write_text("[]")
    assert "x.json is not an evaluation report" in refusal("--compare", tmp_path / "x.json")
    assert refusal() == "2"


def test_samples_that_are_no_images(train):
    run = train("run", "experiment=gaussian_1d", "trainer=cpu", "trainer.max_steps=2", "callbacks.samples=null").folder
    assert "Gaussian1D has no images to evaluate" in refusal(run, *QUICK)
