"""The guard on the device, here the CPU: it stops later than the one that reads every loss, with the same weights."""

from functools import partial

import pytest
import torch

from gan_lightning.models import GAN, finite, simultaneous, step
from gan_lightning.models.finite import DeviceFiniteGuard, FiniteGuard, finite_guard
from tests.conftest import differing
from tests.models.test_gan import fit, networks

OPTIMIZERS = {
    "adam": partial(torch.optim.Adam, lr=1e-3, fused=True),
    "adamw": partial(torch.optim.AdamW, lr=1e-3, fused=True),
    "sgd": partial(torch.optim.SGD, lr=0.1, momentum=0.5, fused=True),
}
BROKEN = r"the discriminator's loss is not finite at batch 3: .*, bad=nan\. Its optimizer has not moved"


@pytest.fixture
def on_device(monkeypatch):
    """Takes the CPU for a device on which reading a value waits."""
    monkeypatch.setattr(step, "finite_guard", lambda optimizers, device, _: DeviceFiniteGuard(optimizers, device))


class Breaks:
    """A penalty that is NaN in one batch."""

    def __init__(self, batch):
        self.ahead = batch

    def __call__(self, logits_of, real, *_):
        self.ahead -= 1
        return real.mean() * (float("nan") if self.ahead == 0 else 0)


def model_that_breaks(batch, **more):
    arguments = {"optimizer": OPTIMIZERS["adam"], "penalties": {"bad": Breaks(batch)}, "seed": 5}
    return GAN(*networks(batch_norm=False), **arguments | more)


def state_of(model):
    states = [optimizer.state_dict()["state"] for optimizer in model.trainer.optimizers]
    return {"weights": dict(model.state_dict()), "states": states}


@pytest.mark.parametrize(
    ("optimizer", "more"),
    [
        *((name, {}) for name in OPTIMIZERS),
        *(("adam", more) for more in ({"phases": simultaneous}, {"accumulate": 2}, {"gradient_clip_norm": 0.1})),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value), "plain"),
)
def test_no_optimizer_moves_from_the_first_loss_that_is_not_finite(on_device, optimizer, more):
    more = {"optimizer": OPTIMIZERS[optimizer]} | more
    batch = 5 if "accumulate" in more else 3  # a micro-batch counts, too
    model, undisturbed = model_that_breaks(batch, **more), model_that_breaks(0, **more)
    with pytest.raises(FloatingPointError, match=BROKEN):
        fit(model, max_steps=6)
    assert model.global_step == 6
    fit(undisturbed, max_steps=2)
    assert differing(state_of(model), state_of(undisturbed)) == []


def test_finite_losses_train_to_the_same_bits(monkeypatch):
    guards = []
    for kind in (FiniteGuard, DeviceFiniteGuard):
        made = (
            (lambda *_: FiniteGuard()) if kind is FiniteGuard else (lambda o, device, _: DeviceFiniteGuard(o, device))
        )
        monkeypatch.setattr(step, "finite_guard", made)
        guards.append(model_that_breaks(0))
        fit(guards[-1], max_steps=6)
    assert differing(*map(state_of, guards)) == []


def test_it_is_read_when_losses_are_logged(on_device):
    model = model_that_breaks(3)
    with pytest.raises(FloatingPointError, match=BROKEN):
        fit(model, max_steps=12, log_every_n_steps=5)
    assert model.global_step == 5


def test_it_is_read_before_samples_and_checkpoints(on_device):
    model, refused = model_that_breaks(3), []

    def look(*_):
        for ask in (lambda: model.sample(2), lambda: model.trainer.save_checkpoint("never")):
            with pytest.raises(FloatingPointError, match=BROKEN):
                ask()
            refused.append(model.global_step)
        model.trainer.should_stop = True

    model.on_train_batch_end = lambda *_: look() if model.global_step == 4 else None
    with pytest.raises(FloatingPointError, match=BROKEN):
        fit(model, max_steps=12)
    assert refused == [4, 4]


def test_it_does_not_keep_the_terms_of_a_whole_run(on_device, monkeypatch):
    monkeypatch.setattr(DeviceFiniteGuard, "MOST_UNREAD", 8)
    model = model_that_breaks(3)
    with pytest.raises(FloatingPointError, match=BROKEN):
        fit(model, max_steps=12)
    assert model.global_step == 4  # its second update is the eighth


def test_which_guard_is_chosen():
    weights = [torch.nn.Parameter(torch.ones(2))]
    fused, plain = torch.optim.Adam(weights, fused=True), torch.optim.RMSprop(weights)
    meta = torch.device("meta")
    assert type(finite_guard([fused, fused], meta, False)) is DeviceFiniteGuard
    others = [([fused, plain], meta, False), ([fused], meta, True), ([fused], torch.device("cpu"), False)]
    assert [type(finite_guard(*each)) for each in others] == [finite.FiniteGuard] * 3
