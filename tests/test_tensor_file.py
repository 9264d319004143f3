"""Files of tensors: what is read is what was written, and every damage is told."""

import os
import stat

import pytest
import torch
from safetensors.torch import save_file

from gan_lightning.errors import UserError
from gan_lightning.tensor_file import load_tensors, save_tensors

TENSORS = {
    "weight": torch.arange(6.0).view(2, 3),
    "steps": torch.tensor(7),
    "half": torch.ones(2, dtype=torch.bfloat16),
}


@pytest.fixture
def path(tmp_path):
    before = os.umask(0o022)
    try:
        save_tensors(TENSORS, tmp_path / "x.safetensors", {"network": "a text"})
    finally:
        os.umask(before)
    return tmp_path / "x.safetensors"


def test_what_was_written(path):
    tensors, metadata = load_tensors(path)
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], tensor) for name, tensor in TENSORS.items())
    assert metadata == {"network": "a text"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_every_third_bit_flipped_is_told(path):
    content = path.read_bytes()
    for bit in range(0, 8 * len(content), 3):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        with pytest.raises(UserError, match=r"x\.safetensors is damaged"):
            load_tensors(path)


def test_every_truncation_is_told(path):
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(UserError, match=r"x\.safetensors is damaged"):
            load_tensors(path)


def test_a_file_of_another_program(tmp_path):
    save_file({"weight": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(UserError, match="or gan_lightning has not written it"):
        load_tensors(tmp_path / "x.safetensors")


def test_a_missing_file(tmp_path):
    with pytest.raises(UserError, match=r"x\.safetensors"):
        load_tensors(tmp_path / "x.safetensors")
