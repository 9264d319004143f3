"""`gan-export`: what it prints, what it writes, and how it refuses."""

import errno
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


def test_a_file(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checkpoint = small(tmp_path / "x.ckpt", vocabulary=TAGS)
    (tmp_path / "generator.pt2").write_text("old")  # is replaced
    export(checkpoint, "--format", "torch", "--truncation", 0.5)
    line, compared = capsys.readouterr().out.splitlines()
    assert line == "generator.pt2: z (batch, 16), labels (batch, 10) -> images (batch, 1, 8, 8) in [0, 1], weights: ema"
    assert re.fullmatch(r"largest difference from the model: \d\.\de[+-]\d\d", compared)
    z, tags = torch.randn(3, 16), torch.eye(10)[2:5]
    expected = gan_lightning.load(checkpoint).generator_ema(0.5 * z, tags)
    network = torch.export.load(tmp_path / "generator.pt2").module()
    torch.testing.assert_close(network(z, tags), expected.add(1).div(2))


def test_a_folder(checkpoint, tmp_path, capsys):
    pytest.importorskip("huggingface_hub")
    export(checkpoint, "--format", "hub", "--out", tmp_path / "folder")
    assert "choose a license in" in capsys.readouterr().out
    assert gan_lightning.from_pretrained(tmp_path / "folder").latent_dim == 16
    assert "expected a new or an empty folder" in refusal(checkpoint, "--format", "hub", "--out", tmp_path / "folder")
    assert "error: /dev/null: File exists" in refusal(checkpoint, "--format", "hub", "--out", "/dev/null/x")


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
        (("--format", "torch", "--truncation", "1.5"), r"--truncation 1\.5: expected a number above 0, up to 1"),
        (("--format", "hub", "--raw"), "--raw, --truncation: belong to --format onnx and torch"),
    ],
)
def test_options_that_do_not_fit(checkpoint, options, message):
    assert re.search(message, refusal(checkpoint, *options))


@pytest.mark.parametrize("options", [(), ("--format", "jit"), ("--format", "torch", "--truncation", "a half")])
def test_options_that_do_not_exist(checkpoint, options):
    with pytest.raises(SystemExit) as leaving:
        export(checkpoint, *options)
    assert leaving.value.code == 2


@pytest.fixture(params=["torch", "hub"])
def format(request):
    if request.param == "hub":
        pytest.importorskip("huggingface_hub")
    return request.param


def test_a_run_without_a_checkpoint(tmp_path, monkeypatch, format):
    monkeypatch.chdir(tmp_path)
    assert "there is no checkpoint at" in refusal(tmp_path, "--format", format)
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_that_cannot_be_read(checkpoint, monkeypatch, format):
    def fail(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("gan_lightning.training.checkpoint.read", fail)
    assert refusal(checkpoint, "--format", format).startswith(f"error: {checkpoint}: Permission denied")


def test_weights_that_are_not_finite(checkpoint, tmp_path, monkeypatch, format):
    monkeypatch.chdir(tmp_path)
    content = torch.load(checkpoint, weights_only=True)
    content["state_dict"]["generator_ema.layers.0.weight"].fill_(torch.nan)
    torch.save(content, tmp_path / "nan.ckpt")
    assert "not finite" in refusal(tmp_path / "nan.ckpt", "--format", format)
    assert {path.name for path in tmp_path.iterdir()} == {"x.ckpt", "nan.ckpt"}
