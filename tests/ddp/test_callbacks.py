"""Callbacks in two processes: augmentation and LeCam see the logits of all, and all save after the same batches."""

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from gan_lightning.losses import AdaptiveAugment
from gan_lightning.losses.regularizers import LeCam
from tests.conftest import TINY
from tests.ddp.test_ddp import RUN, largest_difference

pytestmark = pytest.mark.slow

LOGITS = ([1.0] * 10, [1.0] * 5 + [-3.0] * 5)  # the first process's real ones, and the second's: r is 1, 0 and 0.5


def observed(logits):
    augment = AdaptiveAugment(ada_images=100, every_n_batches=1, target=-0.5)
    lecam = LeCam(weight=1.0)
    for module in (augment, lecam):
        module.on_step_end({"terms": {}, "logits": logits})
    return {"p": augment.transforms.p, "images": augment.images, "anchors": lecam.anchors}


def observe(rank, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    real = torch.tensor(LOGITS[rank])
    torch.save(observed({"real": real, "fake": 2 * real}), f"{folder}/{rank}")
    dist.destroy_process_group()


def test_two_processes_know_what_one_would(tmp_path):
    mp.spawn(observe, args=(str(tmp_path),), nprocs=2)
    first, second = (torch.load(tmp_path / str(rank), weights_only=True) for rank in (0, 1))
    real = torch.tensor(LOGITS[0] + LOGITS[1])
    alone = observed({"real": real, "fake": 2 * real})
    for name, value in alone.items():
        assert torch.equal(first[name], value), name
        assert torch.equal(second[name], value), name
    assert alone["p"].item() == pytest.approx(0.2)  # 20 images
    assert not torch.equal(observed({"real": real[:10], "fake": real[:10]})["anchors"], alone["anchors"])


def test_lecam_and_micro_batches_in_two_processes_are_those_of_one(train, train_apart):
    lecam = ("regularizer=lecam", "model.schedules.regularizers.lecam.weight=null")
    more = (*lecam, "model.optimizer.lr=2e-4", "model.optimizer.betas=[0.5,0.999]")
    alone = train("alone", *RUN, *more)
    together = train_apart("together", *RUN, *more, "trainer.devices=2", "model.accumulate=4")
    assert together.code == 0, together.output
    assert largest_difference(alone, together) < 1e-5
    assert largest_difference(alone, train("without", *RUN, *more[1:], "regularizer=lecam", "seed=1")) > 1e-3


def test_augmentation_adapts_alike_in_all_processes(train_apart):
    dump = "+callbacks.dump={_target_: helpers.Dump, path: '${run_dir}/state'}"
    adaptive = ("augment=adaptive", "model.augment.ada_images=640", "model.augment.target=-0.9")
    outcome = train_apart("run", *TINY, *adaptive, "trainer.max_steps=9", dump, "trainer.devices=2")
    assert outcome.code == 0, outcome.output
    first, second = (torch.load(outcome.folder / f"state.{rank}", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert first["augment.transforms.p"].item() == pytest.approx(0.4)  # twice 4 batches of 32 over both processes


def test_all_processes_save_by_one_clock(train_apart):
    """Their own would disagree in some of 200 batches, and each save waits for all processes."""
    by_time = ("callbacks.checkpoints.every_n_seconds=0.02", "trainer.log_every_n_steps=1", "trainer.max_steps=200")
    outcome = train_apart("run", *TINY, *by_time, "trainer.devices=2", timeout=120)
    assert outcome.code == 0, outcome.output
    assert outcome.checkpoint["global_step"] == 200
