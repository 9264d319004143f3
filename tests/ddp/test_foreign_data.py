"""Data that is not ours, in two processes: shared, or refused."""

import json
import subprocess
import sys

import pytest
import torch
import torch.distributed as dist
from torch.utils.data import BatchSampler, DataLoader, DistributedSampler, RandomSampler, WeightedRandomSampler

from gan_lightning.data import Digits, Gaussians2D
from gan_lightning.distributed.loaders import share_loader
from gan_lightning.errors import UserError
from tests.conftest import TINY
from tests.helpers import Numbered, Stream

NUMBERS = list(range(20))


def read(loader, epoch=0):
    loader.batch_sampler.sampler.set_epoch(epoch)  # as Lightning does at an epoch's start
    return [batch.tolist() for batch in loader]


def shared(epoch=0, **options):
    loaders = [DataLoader(NUMBERS, batch_size=4, **options) for _ in range(2)]
    for rank, loader in enumerate(loaders):
        share_loader(loader, world_size=2, rank=rank, seed=3)
    return [read(loader, epoch) for loader in loaders]


def test_each_process_gets_its_own_samples():
    first, second = shared()
    assert first == [[0, 2, 4, 6], [8, 10, 12, 14], [16, 18]]
    assert second == [[1, 3, 5, 7], [9, 11, 13, 15], [17, 19]]


def test_a_loader_that_shuffles_has_an_order_by_epoch():
    epochs = [shared(epoch, shuffle=True) for epoch in (0, 1, 0)]
    for first, second in epochs:
        assert sorted(number for batch in (*first, *second) for number in batch) == NUMBERS
    assert epochs[0] == epochs[2]
    assert epochs[0] != epochs[1]


def test_what_is_shared_already_stays(monkeypatch):
    sampler = DistributedSampler(NUMBERS, num_replicas=2, rank=1)
    for loader in (
        DataLoader(NUMBERS, batch_size=4, sampler=sampler),
        DataLoader(NUMBERS, batch_sampler=BatchSampler(sampler, 4, drop_last=False)),
    ):
        share_loader(loader, world_size=2, rank=1, seed=0)
        assert loader.batch_sampler.sampler is sampler
    share_loader(DataLoader(NUMBERS, sampler=sampler), 2, 0, seed=0)  # before the processes have met
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    with pytest.raises(UserError, match="is that of process 1 of 2; expected 0 of 2"):
        share_loader(DataLoader(NUMBERS, sampler=sampler), 2, 0, seed=0)


def in_pairs():
    return [[i, i + 1] for i in range(0, 20, 2)]


@pytest.mark.parametrize(
    ("loader", "reason"),
    [
        (DataLoader(Stream(Numbered(4, [1]))), "Stream is an IterableDataset"),
        (DataLoader(NUMBERS, batch_sampler=in_pairs()), "its batch_sampler is a list"),
        (DataLoader(NUMBERS, batch_size=None), "its batch_sampler is none"),
        (DataLoader(NUMBERS, sampler=WeightedRandomSampler([1.0] * 20, 20)), "its sampler is a WeightedRandomSampler"),
        (DataLoader(NUMBERS, sampler=RandomSampler(NUMBERS, num_samples=7)), "or only a part"),
        ([torch.zeros(2)], "it is no DataLoader but a list"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refused(loader, reason):
    with pytest.raises(UserError, match=reason) as error:
        share_loader(loader, 2, 0, seed=0)
    assert "or train in one process, trainer.devices=1" in str(error.value)


def test_too_few_samples_are_refused():
    with pytest.raises(UserError, match="20 samples: too few for a batch of 16 in each of 2 processes"):
        share_loader(DataLoader(NUMBERS, batch_size=16, drop_last=True), 2, 0, seed=0)


def test_ours_is_not_shared_a_second_time():
    """Not even by a Trainer that is made by hand, which would put in a sampler of its own."""
    data = Digits([1, 28, 28])
    data.setup()
    assert isinstance(data.train_dataloader().sampler, DistributedSampler)
    assert isinstance(Gaussians2D([2]).train_dataloader().sampler, DistributedSampler)


PLAIN = """
_target_: helpers.PlainData
image_shape: [1, 28, 28]
condition_dim: 10
batch_size: 16
kind: map
"""


@pytest.fixture
def foreign(tmp_path, train_apart):
    """Runs two processes on a data module of the user's, from a configuration of theirs."""
    (tmp_path / "conf" / "data").mkdir(parents=True)
    (tmp_path / "conf" / "data" / "plain.yaml").write_text(PLAIN)
    tiny = (option for option in TINY if not option.startswith("data."))
    options = ("--config-dir", f"{tmp_path}/conf", *tiny, "data=plain", "trainer.devices=2", "trainer.max_steps=8")
    return lambda *more: train_apart("run", *options, *more, timeout=240)


@pytest.mark.slow
def test_two_processes_share_a_plain_data_module(foreign):
    """128 images, 16 a batch and process: 4 batches are an epoch."""
    outcome = foreign("+callbacks.log={_target_: helpers.SampleLog, path: '${run_dir}/seen'}")
    assert outcome.code == 0, outcome.output
    first, second = (json.loads((outcome.folder / f"seen.{rank}").read_text()) for rank in (0, 1))
    assert len(first) == len(second) == 8 * 16
    for epoch in (slice(64), slice(64, 128)):
        assert len({*first[epoch], *second[epoch]}) == 128
    assert first[:64] != first[64:]


@pytest.mark.slow
def test_a_stream_is_refused_in_two_processes(foreign):
    outcome = foreign("data.kind=stream")
    assert outcome.code == 1
    assert "Stream is an IterableDataset, whose samples have no numbers" in outcome.output
    assert "trainer.devices=1" in outcome.output


BY_HAND = """
from lightning import Trainer
from helpers import PlainData, SampleLog
from gan_lightning.distributed.strategy import GANStrategy
from gan_lightning.models import GAN
from gan_lightning.networks import MLPDiscriminator, MLPGenerator

model = GAN(MLPGenerator(8, [1, 4, 4], [16]), MLPDiscriminator([1, 4, 4], [16]))
quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
log = SampleLog("seen")
Trainer(strategy=GANStrategy(), devices=2, accelerator="cpu", max_epochs=1, callbacks=[log], **quiet).fit(
    model, PlainData([1, 4, 4])
)
"""


@pytest.mark.slow
def test_two_processes_of_a_trainer_made_by_hand(tmp_path):
    (tmp_path / "script.py").write_text(BY_HAND)
    command = [sys.executable, "script.py"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert result.returncode == 0, result.stderr
    first, second = (json.loads((tmp_path / f"seen.{rank}").read_text()) for rank in (0, 1))
    assert len(first) == len(second) == 64
    assert len({*first, *second}) == 128
