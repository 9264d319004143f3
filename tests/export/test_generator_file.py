"""One file for another program: what it says, and that it computes what the model does."""

import inspect
import io
import json
import subprocess
import sys
from contextlib import nullcontext

import pytest
import torch
from PIL import Image

import gan_lightning
from gan_lightning.errors import UserError
from gan_lightning.export import export_generator, formats, generator_file
from gan_lightning.export.portable import PortableGenerator, example_inputs, metadata, to_pictures
from tests.conftest import PROJECT
from tests.export.saved import CLASSES, TAGS, save, small


def read(path):
    """The network of a .pt2 file and its metadata."""
    files = {"metadata.json": ""}
    network = torch.export.load(io.BytesIO(path.read_bytes()), extra_files=files).module()
    return network, json.loads(files["metadata.json"])


def test_a_torch_file(tmp_path):
    checkpoint = small(tmp_path / "x.ckpt", vocabulary=CLASSES)
    written = export_generator(checkpoint, tmp_path / "x.pt2", format="torch")
    network, about = read(tmp_path / "x.pt2")
    model = gan_lightning.load(checkpoint)
    for count in (1, 7):
        images = network(model.fixed_z(count, seed=3), torch.full((count,), 4))
        torch.testing.assert_close(images, to_pictures(model.sample(count, label=4, seed=3)))
    assert written.difference < 1e-6
    assert about == written.metadata
    assert about == {
        **{"name": "my_run", "model": "GAN", "network": "MLPGenerator", "step": 7, "weights": "ema"},
        **{"latent_dim": 16, "latents": "standard normal", "truncation": 1.0, "labels": "classes"},
        **{"names": [f"class {n}" for n in range(10)], "image_shape": [1, 8, 8], "range": [0, 1]},
        "gan_lightning": gan_lightning.__version__,
    }


@pytest.mark.parametrize("vocabulary", [None, CLASSES, TAGS], ids=["none", "classes", "tags"])
def test_labels_are_encoded_inside(tmp_path, vocabulary):
    model = gan_lightning.load(small(tmp_path / "x.ckpt", vocabulary=vocabulary))
    z, *labels = example_inputs(model, 5)
    condition = vocabulary.encode(labels[0]) if vocabulary else None
    for raw, weights in {False: "ema", True: "raw"}.items():
        expected = to_pictures(next(model.generate(0.5 * z, condition, raw)))
        torch.testing.assert_close(PortableGenerator(model, raw, truncation=0.5)(z, *labels), expected)
        assert metadata(model, {}, raw)["weights"] == weights
    if vocabulary is CLASSES:
        assert labels[0][-1] == -1  # no label, a row of zeros
        expected = to_pictures(next(model.generate(z, torch.zeros(5, 10))))
        for index in (-1, 10, 11, -3):  # none of them is a class, either
            torch.testing.assert_close(PortableGenerator(model)(z, torch.full((5,), index)), expected)


def test_points_keep_their_range(tmp_path):
    sizes = ("network.generator.hidden_dims=[8,8]", "network.discriminator.hidden_dims=[8]")
    model = gan_lightning.load(save(tmp_path / "x.ckpt", "trainer=cpu", "data=gaussians_2d", "model=gan", *sizes))
    about = metadata(model, {})
    assert (about["image_shape"], about["range"]) == ([2], None)
    torch.testing.assert_close(PortableGenerator(model)(model.fixed_z(3, seed=0)), model.sample(3))


def test_truncation_needs_normal_latents(tmp_path):
    checkpoint = small(tmp_path / "x.ckpt", "model=infogan")
    with pytest.raises(UserError, match="last 12: one-hot of 10, then 2 uniform in"):
        export_generator(checkpoint, tmp_path / "x.pt2", format="torch", truncation=0.7)


@pytest.mark.parametrize("format", ["onnx", "torch"])
def test_a_name_of_another_format(tmp_path, format):
    with pytest.raises(UserError, match=rf"y\.npz: expected a name that ends in .*--format {format}"):
        export_generator(tmp_path / "x.ckpt", tmp_path / "y.npz", format=format)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "ONNX"}, "--format ONNX: expected onnx or torch"),
        *(({"truncation": psi}, "expected a number above 0, up to 1") for psi in (-3.0, 0.0, 1.5, float("nan"))),
    ],
)
def test_values_that_do_not_exist(tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        inspect.unwrap(export_generator)(tmp_path / "x.ckpt", tmp_path / "x.onnx", **options)  # without tests' types


def test_a_missing_package(tmp_path, monkeypatch):
    monkeypatch.setattr(generator_file.importlib.util, "find_spec", lambda name: None if name == "onnx" else name)
    with pytest.raises(UserError, match=r"onnx needs onnx: pip install 'gan_lightning\[export\]'"):
        export_generator(tmp_path / "x.ckpt", tmp_path / "x.onnx")


def test_a_network_that_cannot_be_traced(tmp_path):
    checkpoint = save(
        tmp_path / "x.ckpt", "trainer=cpu", "data.image_shape=[1,8,8]", "network.generator._target_=helpers.Branching"
    )
    with pytest.raises(UserError, match=r"Branching cannot be exported: .*must not branch on the values"):
        export_generator(checkpoint, tmp_path / "x.pt2", format="torch")


@pytest.mark.parametrize(("wrong", "accepted"), [(1e-5, True), (1e-3, False), (float("nan"), False)])
def test_a_file_that_computes_something_else(tmp_path, monkeypatch, wrong, accepted):
    checkpoint = small(tmp_path / "x.ckpt")
    network = PortableGenerator(gan_lightning.load(checkpoint))
    spoiled = formats.Format(".pt2", lambda *_: b"a file", lambda _, inputs: network(*inputs) + wrong)
    monkeypatch.setitem(formats.FORMATS, "torch", spoiled)
    monkeypatch.setattr(generator_file, "traced", lambda *_: None)
    refused = pytest.raises(UserError, match="computes something else than the model")
    with nullcontext() if accepted else refused:
        export_generator(checkpoint, tmp_path / "x.pt2", format="torch")
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["x.ckpt"] + ["x.pt2"] * accepted


# ONNX, and processes of their own


@pytest.fixture
def formats_here():
    """The formats and the scripts that draw from them."""
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    return {"torch": "draw.py", "onnx": "draw_onnx.py"}


@pytest.mark.slow
@pytest.mark.parametrize("model", ["gan", "cgan"])
@pytest.mark.parametrize("network", ["mlp", "dcgan", "resnet", "r3gan", "faces", "maxout", "biggan", "stylegan2"])
def test_every_network(tmp_path, formats_here, network, model):
    size, narrow = (96, ["network.generator.channels=[3,5,5]"]) if network == "faces" else (32, [])
    options = ("trainer=cpu", f"network={network}", f"model={model}", f"data.image_shape=[3,{size},{size}]", *narrow)
    checkpoint = save(tmp_path / "x.ckpt", *options, vocabulary=None if model == "gan" else CLASSES)
    for format in formats_here:
        written = export_generator(checkpoint, tmp_path / f"x{formats.FORMATS[format].suffix}", format=format)
        assert written.difference < 1e-5, format


@pytest.mark.slow
def test_a_spectrally_normalized_generator(tmp_path, formats_here):
    options = ("trainer=cpu", "network=biggan", "model=biggan", "data.image_shape=[3,32,32]")
    checkpoint = save(tmp_path / "x.ckpt", *options, "network.generator.base_channels=4", vocabulary=CLASSES)
    for format in formats_here:
        written = export_generator(checkpoint, tmp_path / f"x{formats.FORMATS[format].suffix}", format=format)
        assert written.difference < 1e-5, format


@pytest.mark.slow
@pytest.mark.parametrize("vocabulary", [None, CLASSES, TAGS], ids=["none", "classes", "tags"])
def test_a_grid_without_this_package(tmp_path, formats_here, vocabulary):
    checkpoint = small(tmp_path / "x.ckpt", vocabulary=vocabulary)
    code = "import runpy, sys; sys.modules['gan_lightning'] = None; runpy.run_path(sys.argv.pop(1))"
    for format, script in formats_here.items():
        path = tmp_path / f"x{formats.FORMATS[format].suffix}"
        export_generator(checkpoint, path, format=format)
        command = [sys.executable, "-c", code, PROJECT / "examples" / script, path, tmp_path / "grid.png"]
        subprocess.run(command, check=True, cwd=tmp_path, timeout=240)
        with Image.open(tmp_path / "grid.png") as picture:
            assert picture.size == ((8 * 8, 8 * 8) if format == "onnx" else (8 * 10 + 2, 8 * 10 + 2))
            assert len(set(picture.convert("L").tobytes())) > 10
