"""Two processes agree on the batch after which they stop; here they are two callbacks that take turns."""

import signal
from types import SimpleNamespace
from unittest.mock import create_autospec

import pytest
import torch
import torch.distributed as dist
from lightning import LightningModule, Trainer

from gan_lightning.callbacks import GracefulStop, stop


class Clock:
    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def exchanged(monkeypatch):
    """The numbers of each all-reduce, in the place of torch.distributed."""
    calls = []

    def all_reduce(numbers, op, group, async_op):
        if not calls or len(calls[-1]) == 2:
            calls.append([])
        together = calls[-1]
        together.append(numbers)
        return SimpleNamespace(wait=lambda: numbers.copy_(torch.stack(together).amax(0)))

    monkeypatch.setattr(dist, "all_reduce", all_reduce)
    return calls


@pytest.mark.parametrize(
    ("seconds", "most", "exchanges"),
    [((0.001, 0.001), 1 + GracefulStop.MOST_BATCHES, 12), ((0.001, 0.2), 3, 70), ((2.0, 0.001), 2, 101)],
)
def test_both_stop_after_the_same_batch_and_soon(exchanged, monkeypatch, seconds, most, exchanges):
    clocks, callbacks = [Clock(), Clock()], [GracefulStop(), GracefulStop()]
    trainers = [create_autospec(Trainer, instance=True, should_stop=False) for _ in callbacks]
    model = create_autospec(LightningModule, instance=True)
    for callback in callbacks:
        callback._group = "both"
    for step in range(1, 200):
        if step == 100:
            callbacks[1].received = signal.SIGTERM
        for callback, trainer, clock, each in zip(callbacks, trainers, clocks, seconds, strict=True):
            monkeypatch.setattr(stop, "time", clock)
            clock.now += each
            trainer.global_step = step
            callback.on_train_batch_end(trainer, model)
        if any(trainer.should_stop for trainer in trainers):
            break
    assert all(trainer.should_stop for trainer in trainers)
    assert [callback.received for callback in callbacks] == [signal.SIGTERM] * 2
    assert 100 < step <= 100 + most
    assert len(exchanged) <= exchanges
