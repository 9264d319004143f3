"""The curves of a run: as TensorBoard itself reads its files, damaged ones too; and from the cache."""

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from gan_lightning.visualization import curves


def log(folder, steps, **options):
    """Logs two metrics, and then a text and a picture, which make long records."""
    with SummaryWriter(str(folder), **options) as writer:
        for step in steps:
            writer.add_scalar("loss/generator", step / 7, step)
            writer.add_scalar("metric/fid", float("nan") if step == 2 else -step, step)
        writer.add_text("config", "seed: 0\n" * 1000, 1)
        writer.add_image("samples", np.random.default_rng(0).random((3, 90, 90)), 1)


def expected(folder):
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def require_same(found, other):
    assert found.keys() == other.keys()
    for name, series in found.items():
        np.testing.assert_array_equal(series, other[name])


def test_as_tensorboard_reads_them(tmp_path):
    log(tmp_path, range(1, 9))
    (first,) = tmp_path.rglob("events.*")
    first.rename(first.with_name("events.out.tfevents.1.a"))  # TensorBoard reads its files in the order of their names
    log(tmp_path, range(4, 6), purge_step=4)  # resumed: 6 to 8 did not happen
    found = curves.read_curves(tmp_path)
    assert found["loss/generator"][:, 0].tolist() == [1, 2, 3, 4, 5]
    require_same(found, expected(tmp_path))


def test_sessions_count_in_the_order_of_their_beginnings(tmp_path):
    """Their files' names may have another, if both began in the same second."""
    log(tmp_path, range(1, 9))
    (first,) = tmp_path.rglob("events.*")
    first = first.rename(first.with_name("events.out.tfevents.1.a"))  # another name than the second's, in any second
    log(tmp_path, range(4, 6), purge_step=4)
    first.rename(first.with_name("events.out.tfevents.9999999999.z"))
    assert curves.read_curves(tmp_path)["loss/generator"][:, 0].tolist() == [1, 2, 3, 4, 5]


def test_damaged_files(tmp_path):
    log(tmp_path, range(1, 9))
    (path,) = tmp_path.glob("events*")
    whole = path.read_bytes()
    size = whole.index(b"config")  # what follows is long, and not read
    for place in range(0, size - 40, 23):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 8]) + whole[place + 1 :])
        require_same(curves.read_curves(tmp_path), expected(tmp_path))
    for end in range(0, size, 61):
        path.write_bytes(whole[:end])
        require_same(curves.read_curves(tmp_path), expected(tmp_path))


def test_they_are_cached_until_the_files_change(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(curves, "CACHED_FROM", 0)
    run = tmp_path / "run"
    log(run, range(1, 5))
    first = curves.read_curves(run)
    require_same(first, expected(run))
    with monkeypatch.context() as patched:
        patched.setattr(curves, "read_events", lambda path: pytest.fail("the files are read again"))
        require_same(curves.read_curves(run), first)
    (cache,) = (tmp_path / "cache").glob("curves_*.npz")
    content = cache.read_bytes()
    for place in range(0, len(content), 97):
        cache.write_bytes(content[:place] + bytes([content[place] ^ 8]) + content[place + 1 :])
        require_same(curves.read_curves(run), first)
    log(run, range(5, 7), filename_suffix=".later")
    assert len(curves.read_curves(run)["metric/fid"]) == 6


def test_without_files(tmp_path):
    assert curves.read_curves(tmp_path) == {}
