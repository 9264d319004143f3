"""`gan-export`: what it prints, what it writes, and how it refuses."""

import re
import sys

import pytest
import torch

import gan_lightning
from gan_lightning.cli.export import main
from tests.export.saved import CLASSES, TAGS, small


def export(*arguments) -> None:
    main([str(argument) for argument in arguments])


def refusal(*arguments) -> str:
    with pytest.raises(SystemExit) as leaving:
        export(*arguments)
    assert str(leaving.value.code).startswith("error: ")
    return str(leaving.value.code)


@pytest.fixture
def checkpoint(tmp_path):
    return small(tmp_path / "x.ckpt", vocabulary=CLASSES)


def test_what_it_says(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    export(small(tmp_path / "x.ckpt", vocabulary=TAGS), "--format", "torch")
    line, compared = capsys.readouterr().out.splitlines()
    assert line == "generator.pt2: z (batch, 16), labels (batch, 10) -> images (batch, 1, 8, 8) in [0, 1], weights: ema"
    assert re.fullmatch(r"largest difference from the model: \d\.\de[+-]\d\d", compared)


def test_an_existing_file_is_replaced(checkpoint, tmp_path):
    (tmp_path / "x.pt2").write_text("old")
    export(checkpoint, "--format", "torch", "--out", tmp_path / "x.pt2", "--truncation", 0.5)
    network = torch.export.load(tmp_path / "x.pt2").module()
    z, labels = torch.randn(2, 3, 16), torch.zeros(3, dtype=torch.long)
    expected = gan_lightning.load(checkpoint).generator_ema(0.5 * z[0], torch.eye(10)[labels])
    torch.testing.assert_close(network(z[0], labels), expected.add(1).div(2))


def test_a_folder(checkpoint, tmp_path, capsys):
    pytest.importorskip("huggingface_hub")
    export(checkpoint, "--format", "hub", "--out", tmp_path / "folder")
    assert "choose a license in" in capsys.readouterr().out
    assert gan_lightning.from_pretrained(tmp_path / "folder").latent_dim == 16
    assert "expected a new or an empty folder" in refusal(checkpoint, "--format", "hub", "--out", tmp_path / "folder")


@pytest.mark.slow
def test_onnx_without_its_runtime(checkpoint, tmp_path, capsys, monkeypatch):
    pytest.importorskip("onnxscript")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    export(checkpoint, "--format", "onnx", "--out", tmp_path / "x.onnx")
    assert "not compared with the model: for that, pip install" in capsys.readouterr().out
    assert (tmp_path / "x.onnx").stat().st_size > 1000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--format", "torch", "--out", "x.onnx"), r"--out x\.onnx: expected a name that ends in \.pt2"),
        (("--format", "hub", "--raw"), "--raw, --truncation: belong to --format onnx and torch"),
        (("--format", "torch", "--out", "/dev/null/x.pt2"), "--out /dev/null/x.pt2: "),
    ],
)
def test_options_that_do_not_fit(checkpoint, options, message):
    assert re.search(message, refusal(checkpoint, *options))


@pytest.mark.parametrize("options", [(), ("--format", "jit"), ("--format", "torch", "--truncation", "1.5")])
def test_options_that_do_not_exist(checkpoint, options):
    with pytest.raises(SystemExit) as leaving:
        export(checkpoint, *options)
    assert leaving.value.code == 2


@pytest.mark.parametrize("format", ["torch", "hub"])
def test_a_run_without_a_checkpoint(tmp_path, monkeypatch, format):
    monkeypatch.chdir(tmp_path)
    assert "there is no checkpoint at" in refusal(tmp_path, "--format", format)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", ["torch", "hub"])
def test_weights_that_are_not_finite(checkpoint, tmp_path, monkeypatch, format):
    monkeypatch.chdir(tmp_path)
    content = torch.load(checkpoint, weights_only=True)
    content["state_dict"]["generator_ema.layers.0.weight"].fill_(torch.nan)
    torch.save(content, tmp_path / "nan.ckpt")
    assert "not finite" in refusal(tmp_path / "nan.ckpt", "--format", format)
    assert {path.name for path in tmp_path.iterdir()} == {"x.ckpt", "nan.ckpt"}
