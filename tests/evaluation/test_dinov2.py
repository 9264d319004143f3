"""DINOv2 with small random weights in the authors' layout. The network: tests/reference/test_extractors.py."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from gan_lightning.data import Digits
from gan_lightning.errors import UserError
from gan_lightning.evaluation import DINOv2
from tests.reference.test_extractors import dinov2_weights

WEIGHTS = {name: tensor.float() for name, tensor in dinov2_weights(64, 1, 16).items()}


@pytest.fixture
def weights(tmp_path):
    torch.save(WEIGHTS, tmp_path / "tiny.pth")
    return str(tmp_path / "tiny.pth")


def pictures(count: int, *shape: int) -> torch.Tensor:
    return torch.randint(256, (count, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(count))


def test_pictures_are_prepared_as_in_dgm_eval(weights):
    """Its option `--clean_resize`: Pillow in float32 for each channel; then ImageNet's mean and deviation."""
    extractor = DINOv2(weights)
    extractor.prepare(Digits([3, 40, 30]))
    images = pictures(2, 3, 40, 30)
    resized = np.stack(
        [
            np.asarray(Image.fromarray(channel.numpy().astype(np.float32)).resize((224, 224), Image.Resampling.BICUBIC))
            for channel in images.flatten(0, 1)
        ]
    )
    resized = resized.clip(0, 255).reshape(2, 3, 224, 224).transpose(0, 2, 3, 1)
    given = (resized / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    found = []
    extractor.network.transformer.register_forward_pre_hook(lambda module, inputs: found.extend(inputs))
    assert extractor(images).logits is None
    torch.testing.assert_close(found[0], torch.from_numpy(given).permute(0, 3, 1, 2).float(), rtol=0, atol=1e-5)


def test_files_of_both_kinds_have_the_same_features(weights, tmp_path):
    save_file(WEIGHTS, tmp_path / "tiny.safetensors")
    found = []
    for path in (weights, str(tmp_path / "tiny.safetensors")):
        extractor = DINOv2(path)
        extractor.prepare(Digits([1, 28, 28]))
        found.append((extractor(pictures(2, 1, 28, 28)).vectors, extractor.digest))
        assert found[-1][0].shape == (2, 64)
    assert torch.equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]


def test_weights_that_do_not_suit(weights, tmp_path):
    with pytest.raises(UserError, match=r"metrics=dinov2 needs .*weights=FILE: a file such as dinov2_vitl14_pretrain"):
        DINOv2()
    for name in ("none.pth", "none.safetensors"):
        with pytest.raises(UserError, match=f"{name} is missing, or no weights. Expected a file such as"):
            DINOv2(str(tmp_path / name))
    (tmp_path / "text.safetensors").write_text("no weights")
    with pytest.raises(UserError, match=r"text.safetensors is missing, or no weights"):
        DINOv2(str(tmp_path / "text.safetensors"))
    torch.save([1], tmp_path / "list.pth")
    with pytest.raises(UserError, match=r"list.pth contains no weights by name"):
        DINOv2(str(tmp_path / "list.pth"))


@pytest.mark.parametrize("change", ["registers", "swiglu", "other", "positions"])
def test_weights_of_another_network(tmp_path, change):
    changed = {
        "registers": WEIGHTS | {"register_tokens": torch.zeros(1, 4, 64)},
        "swiglu": {name.replace("fc1", "w12").replace("fc2", "w3"): value for name, value in WEIGHTS.items()},
        "other": {"a": torch.zeros(1)},
        "positions": WEIGHTS | {"pos_embed": torch.zeros(1, 258, 64)},
    }
    torch.save(changed[change], tmp_path / "other.pth")
    with pytest.raises(UserError, match=r"other.pth contains weights of another network than DINOv2's"):
        DINOv2(str(tmp_path / "other.pth")).prepare(Digits([1, 28, 28]))
