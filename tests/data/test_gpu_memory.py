"""Images in the memory of a GPU. Other devices stand for it: `cpu:0`, which has values, and `meta`, which has none."""

from types import SimpleNamespace

import pytest
import torch

from benchmarks.launches import META, Count, count_step
from gan_lightning import rng
from gan_lightning.data import Avatars, Digits, Gaussians2D
from gan_lightning.data.sampler import free_memory
from tests.models.composed import build_both

DEVICE = torch.device("cpu", 0)
SIZE = 100 * (64 + 8)
"""The bytes of 100 images and labels."""


@pytest.fixture
def free(monkeypatch):
    """Sets the free memory of all devices, at first one that is large enough."""

    def sets(size):
        monkeypatch.setattr("gan_lightning.data.sampler.free_memory", lambda device: size)

    sets(10**9)
    return sets


def attached(data, device=DEVICE, step=0, rank=0, world_size=1):
    """A data module as a Trainer has it after `step` batches."""
    strategy = SimpleNamespace(root_device=device)
    data.trainer = SimpleNamespace(global_step=step, global_rank=rank, world_size=world_size, strategy=strategy)
    data.setup("fit")
    return data


def digits(**options):
    return Digits([1, 8, 8], limit=100, batch_size=12, seed=3, **options)


@pytest.mark.parametrize("step", [0, 5, 8, 17])
@pytest.mark.parametrize("kind", [digits, lambda: Avatars([3, 8, 8], count=100, batch_size=12, seed=3)])
def test_batches_are_those_of_the_order_on_the_host(free, kind, step):
    shards = [attached(kind(), step=step, rank=rank, world_size=2) for rank in range(2)]
    images, labels = shards[0].split("train")
    for batch, parts in enumerate(zip(*(data.train_dataloader() for data in shards), strict=True), step):
        epoch, index = divmod(batch, 8)
        chosen = rng.permutation(100, "order", 3, epoch)[12 * index :][:12]
        assert torch.equal(torch.cat([part[0] for part in parts]), images[chosen])
        assert torch.equal(torch.cat([part[1] for part in parts]), labels[chosen])


def test_workers_load_only_what_is_on_the_host(free):
    there, here = attached(digits(num_workers=2)), attached(digits(num_workers=2, gpu_memory_fraction=0.0))
    assert [data.train_dataloader().num_workers for data in (there, here)] == [0, 2]


@pytest.mark.parametrize(("size", "fits"), [(4 * SIZE, True), (4 * SIZE - 1, False)])
def test_images_are_copied_where_they_fit(free, size, fits):
    free(size)
    data = attached(digits(gpu_memory_fraction=0.25), META)
    images, labels = next(iter(data.train_dataloader()))
    assert {images.device, labels.device} == {META if fits else torch.device("cpu")}
    assert data.train.images.device == data.train.labels.device == torch.device("cpu")  # evaluation reads them


@pytest.mark.parametrize("kind", [digits, lambda: Gaussians2D([2])])
def test_what_does_not_fit_goes_by_pinned_memory(free, kind):
    free(0)
    found = [attached(kind(), torch.device(device)).train_dataloader().pin_memory for device in ("cuda", "cpu")]
    assert found == [True, False]


def test_other_devices_have_no_memory_of_their_own():
    assert [free_memory(torch.device(kind)) for kind in ("cpu", "mps", "meta")] == [0, 0, 0]


def test_a_batch_waits_for_nothing(free):
    data = attached(digits(), META)
    batches, counts = iter(data.train_dataloader()), []
    for _ in range(8):
        with Count() as count:
            data.on_after_batch_transfer(next(batches), 0)
        counts.append(count)
    assert [count.waits.total() for count in counts] == [1, *[0] * 7]  # the order of the epoch, by pinned memory
    assert all(count.launches["index_select"] == 2 for count in counts)


def test_a_step_on_data_on_the_device(free):
    model, data = build_both("trainer=cpu", "data=digits", "data.limit=100", "data.batch_size=8")
    count = count_step(model, data)
    assert data.train_dataloader().dataset.images.device == META
    assert count.launches.total() > 0
    assert count.waits.total() == 0
