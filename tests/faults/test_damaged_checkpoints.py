"""Checkpoints that are not what was written: every reader refuses them in one line."""

import json
import random
import zipfile
from pathlib import Path

import pytest
import torch

import gan_lightning
from gan_lightning.checksum import append_checksum
from gan_lightning.cli import evaluate, generate
from gan_lightning.errors import UserError
from gan_lightning.models.rebuild import FORMAT, read
from tests.conftest import TINY, training_differences

EIGHT = (*TINY, "trainer.max_steps=8", "callbacks.checkpoints.keep_every_n_steps=4")
READERS = ("resume", "generate", "evaluate", "load")


@pytest.fixture
def run(trained, tmp_path):
    return trained(*EIGHT).copy(tmp_path / "damaged")


@pytest.fixture
def checkpoint(run):
    """Its kept checkpoint, so that there is something left to train."""
    return run.folder / "checkpoints" / "step_00000004.ckpt"


def refused(path: Path, reader: str, train, capsys) -> str:
    """What a reader says."""
    if reader == "resume":
        outcome = train("resumed", f"resume={path}")
        assert outcome.code == 1
        return outcome.output
    if reader == "load":
        with pytest.raises(UserError) as caught:
            gan_lightning.load(path)
        return str(caught.value)
    out = str(path.parent / ("out.png" if reader == "generate" else "out.json"))
    with pytest.raises(SystemExit) as left:
        (generate if reader == "generate" else evaluate).main([str(path), "--num", "4", "--out", out])
    assert not Path(out).exists()
    return str(left.value)


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_refuses_a_flipped_bit(train, checkpoint, capsys, reader):
    content = bytearray(checkpoint.read_bytes())
    content[len(content) // 2] ^= 1  # amid the weights
    checkpoint.write_bytes(content)
    message = refused(checkpoint, reader, train, capsys)
    assert f"{checkpoint} is damaged or not a checkpoint: it has no valid checksum" in message
    assert "Traceback" not in message


def test_bits_flipped_anywhere(checkpoint):
    content = checkpoint.read_bytes()
    bits = random.Random(0).sample(range(8 * len(content)), 60)
    ends = [*range(8 * 100), *range(8 * (len(content) - 120), 8 * len(content), 5)]
    for bit in (*bits, *ends[::9]):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        checkpoint.write_bytes(flipped)
        with pytest.raises(UserError, match="is damaged or not a checkpoint"):
            read(checkpoint)


@pytest.mark.parametrize("length", [0, 1, 21, 22, 1000, -1, -85, -86, -107])
def test_a_truncated_file(checkpoint, length):
    checkpoint.write_bytes(checkpoint.read_bytes()[:length])
    with pytest.raises(UserError, match="is damaged or not a checkpoint"):
        read(checkpoint)


def test_a_file_that_torch_wrote_is_checked_by_the_checksums_of_its_zip(checkpoint):
    """As a Trainer of the user's leaves it, and as this project did before its checkpoints had a checksum."""
    saved = torch.load(checkpoint, weights_only=True)
    torch.save(saved, checkpoint)
    assert read(checkpoint)["global_step"] == 4
    content = bytearray(checkpoint.read_bytes())
    content[len(content) // 2] ^= 1
    checkpoint.write_bytes(content)
    with pytest.raises(UserError, match="is damaged or not a checkpoint: its part"):
        read(checkpoint)


def test_a_file_of_the_format_before_resumes(train, trained, run, checkpoint):
    saved = torch.load(checkpoint, weights_only=True)
    assert saved.pop("format") == FORMAT
    torch.save(saved, checkpoint)
    resumed = train("damaged", f"resume={checkpoint}")
    assert resumed.code == 0, resumed.output
    assert training_differences(resumed, trained(*EIGHT)) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": FORMAT + 1}, "which a later version has written"),
        ({"format": "x"}, "its 'format' is of type str"),
        ({"state_dict": [1]}, "its 'state_dict' is of type list"),
        ({"state_dict": {"weight": 1}}, "weight is no tensor with all its values"),
        ({"state_dict": {"weight": torch.zeros(1).expand(10**12)}}, "weight is no tensor with all its values"),
        ({"vocabulary": {"names": 3}}, "its 'vocabulary' has no names"),
        (
            {"model": {"_target_": "gan_lightning.models.GAN", "generator": {"_target_": "os.system"}}},
            "os.system is not",
        ),
        (
            {"model": {"_target_": "gan_lightning.models.GAN", "hidden_dims": [1] * 20_000}},
            "its 'model' has more than 10,000 values",
        ),
        ({"model": json.loads('{"a": ' * 200 + "1" + "}" * 200)}, "nested more than 100 deep"),
        (
            {
                "model": {
                    "_target_": "gan_lightning.models.GAN",
                    "generator": {
                        "_target_": "torch.nn.Linear",
                        "in_features": 10**6,
                        "out_features": 10**6,
                    },  # 4 TB, and no D
                }
            },
            "its model cannot be built: ",
        ),
    ],
)
def test_ill_typed_entries(checkpoint, changes, message):
    torch.save(torch.load(checkpoint, weights_only=True) | changes, checkpoint)
    with pytest.raises(UserError, match=message):
        gan_lightning.load(checkpoint)


@pytest.mark.parametrize("name", ["loops", "optimizer_states", "metrics", "batches_per_epoch"])
def test_an_entry_that_is_missing(train, checkpoint, name):
    saved = torch.load(checkpoint, weights_only=True)
    del saved[name]
    torch.save(saved, checkpoint)
    resumed = train("damaged", f"resume={checkpoint}")
    assert resumed.code == 1
    assert f"cannot be resumed from: it has no {name}" in resumed.output


@pytest.mark.parametrize("states", [1, 3, None])
def test_a_state_of_an_optimizer_too_few_or_too_many(train, checkpoint, states):
    saved = torch.load(checkpoint, weights_only=True)
    own = saved["optimizer_states"]
    saved["optimizer_states"] = [3, 4] if states is None else [*own, *own][:states]
    torch.save(saved, checkpoint)
    resumed = train("damaged", f"resume={checkpoint}")
    assert resumed.code == 1
    assert "optimizer" in resumed.output
    assert "Traceback" not in resumed.output


def test_networks_larger_than_their_weights_take_no_memory(checkpoint):
    saved = torch.load(checkpoint, weights_only=True)
    saved["model"]["discriminator"]["hidden_dims"] = [10**6, 10**6]  # 4 TB
    torch.save(saved, checkpoint)
    with pytest.raises(UserError, match="does not fit the networks"):
        gan_lightning.load(checkpoint)


def test_a_compressed_file_is_refused_before_it_is_unpacked(tmp_path):
    bomb = tmp_path / "bomb.ckpt"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(10**7))
    with pytest.raises(UserError, match="its parts are compressed"):
        read(bomb)
    append_checksum(bomb)
    with pytest.raises(UserError, match="its parts are compressed"):
        read(bomb)


def test_a_file_whose_parts_overlap_is_refused(tmp_path):
    """Such an archive unpacks to more than its size without any compression."""
    bomb = tmp_path / "bomb.ckpt"
    with zipfile.ZipFile(bomb, "w") as archive:
        archive.writestr("archive/data.pkl", bytes(10_000))
        archive.filelist *= 100  # entries of the directory, which name one part
    append_checksum(bomb)
    with pytest.raises(UserError, match="its parts overlap"):
        read(bomb)


def test_a_file_that_could_run_code_is_refused_as_what_it_is(tmp_path):
    for path, content in ((tmp_path / "a.ckpt", {"state_dict": {}, "x": Path}), (tmp_path / "b.ckpt", print)):
        torch.save(content, path)
        append_checksum(path)
        with pytest.raises(UserError, match="is refused: it holds more than tensors and plain containers"):
            read(path)


@pytest.mark.parametrize("content", [b"", b"a text\n", b"PK\x03\x04 and no more"])
def test_other_files(tmp_path, content):
    (tmp_path / "x.ckpt").write_bytes(content)
    with pytest.raises(UserError, match=r"x\.ckpt is damaged or not a checkpoint"):
        read(tmp_path / "x.ckpt")
