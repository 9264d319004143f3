"""model.compile: the same weights as without it, and the same rules."""

import copy
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from lightning import Callback

from gan_lightning.errors import UserError
from gan_lightning.losses import penalties
from gan_lightning.models import GAN, WGAN, SimultaneousGAN, compiled
from tests.conftest import TINY
from tests.models.test_gan import SGD, fit, networks

R1 = {"r1": partial(penalties.r1, weight=0.5)}
GP = {"wgan_gp": partial(penalties.wgan_gp, weight=10.0)}
KINDS = {
    "none": (GAN, {}),
    "r1 every third batch": (GAN, {"penalties": R1, "penalty_every": 3}),
    "wgan_gp": (WGAN, {"penalties": GP, "n_critic": 2, "clip": None}),
    "simultaneous": (SimultaneousGAN, {"penalties": R1}),
    "micro-batches": (GAN, {"penalties": R1, "accumulate": 2}),
}


def with_dropout():
    generator, discriminator = networks()
    discriminator.body.append(torch.nn.Dropout(0.3))
    return generator, discriminator


@pytest.fixture
def not_compiled(monkeypatch):
    """Everything but torch's compiler, which takes half a minute a loss."""
    calls = []

    def once(function, option):
        return lambda *given: calls.append(given) or function(*given)

    monkeypatch.setattr(compiled, "compiled", once)
    return calls


@pytest.mark.parametrize("kind", KINDS)
def test_the_weights_without_the_compiler(kind, not_compiled):
    """The numbers are drawn beforehand; what a first batch is tried for has no effect."""
    model_class, arguments = KINDS[kind]
    models = [model_class(*with_dropout(), optimizer=SGD, seed=5, compile=each, **arguments) for each in (False, True)]
    initial = copy.deepcopy(models[0].state_dict())
    for model in models:
        fit(model, max_steps=7)
    assert len(not_compiled) == {"none": 14, "wgan_gp": 10, "simultaneous": 7, "micro-batches": 28}.get(kind, 14)
    for name, value in models[0].state_dict().items():
        assert torch.equal(models[1].state_dict()[name], value), name
    assert not torch.equal(models[0].state_dict()["generator.layers.0.weight"], initial["generator.layers.0.weight"])
    assert models[1]._compiled is None


def test_what_a_loss_asks_of_the_batch_number_reaches_it(not_compiled):
    model = GAN(*networks(), optimizer=SGD, seed=5, penalties=R1, penalty_every=3, compile=True)
    fit(model, max_steps=6)
    assert [draws.due for players, _, draws in not_compiled if players == ("discriminator",)] == [
        {3: is_due} for is_due in (False, False, True) * 2
    ]


def test_where_it_cannot_hold_it_is_refused():
    with pytest.raises(ValueError, match=r"model.reuse_fake=True: G's part.*model.compile=True.*set one of them"):
        GAN(*networks(), reuse_fake=True, compile=True)
    model = GAN(*networks(), compile=True)
    model.trainer = SimpleNamespace(precision="16-mixed")  # without a GPU, a real one has another
    with pytest.raises(UserError, match=r"trainer.precision=16-mixed: scales losses, which model.compile=true does"):
        model.setup("fit")


def test_a_hook_of_the_backward_pass_is_not_forgotten(not_compiled):
    class Gradients(Callback):
        def on_after_backward(self, trainer, pl_module):
            raise AssertionError

    with pytest.raises(
        UserError, match=r"model.compile=true: Gradients has the hook on_after_backward, and a compiled"
    ):
        fit(GAN(*networks(), compile=True), max_steps=1, callbacks=[Gradients()])


R1_WEIGHT = "model.schedules.penalties.r1.weight={_target_: gan_lightning.schedules.Linear, end: 0, until: 6}"
NO_LR = tuple(f"model.schedules.{player}_optimizer.lr=null" for player in ("generator", "discriminator"))


@pytest.mark.slow
@pytest.mark.parametrize(("model", "schedules"), [("gan_r1", (f"+{R1_WEIGHT}",)), ("sngan", NO_LR)])
def test_compiled_training_and_its_resumption(train_apart, monkeypatch, model, schedules):
    """With SGD, which leaves a rounding error small. A scheduled weight is no reason for another graph."""
    monkeypatch.setenv("TORCH_LOGS", "recompiles")
    options = (
        f"model={model}",
        *schedules,
        *TINY,
        "model.n_critic=1",
        "model/optimizer=sgd",
        "model.optimizer.lr=0.01",
        "data.limit=128",
    )
    plain = train_apart("plain", *options, "trainer.max_steps=6")
    whole = train_apart("whole", *options, "model.compile=true", "trainer.max_steps=6")
    assert "Compiled the losses of discriminator in" in whole.output
    assert whole.output.count("Recompiling function") == 1  # for the other player
    for name, value in plain.checkpoint["state_dict"].items():
        torch.testing.assert_close(whole.checkpoint["state_dict"][name], value, rtol=1e-4, atol=1e-6, msg=name)
    assert any(
        not torch.equal(whole.checkpoint["state_dict"][name], value)
        for name, value in plain.checkpoint["state_dict"].items()
    ), "nothing was compiled"  # it rounds otherwise
    train_apart("half", *options, "model.compile=true", "trainer.max_steps=3")
    half = train_apart("half", f"resume={whole.folder.parent / 'half'}", "trainer.max_steps=6")
    assert half.code == 0, half.output
    for name, value in whole.checkpoint["state_dict"].items():
        assert torch.equal(half.checkpoint["state_dict"][name], value), name


@pytest.mark.slow
def test_without_a_compiler(train_apart, monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", "/no/such/compiler")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    failed = train_apart("run", *TINY, "model.compile=true", "trainer.max_steps=2")
    assert failed.code == 1
    assert (
        "error: model.compile=true: needs a C++ compiler. Install g++, name yours in CXX, or set false" in failed.output
    )
    assert "Traceback" not in failed.output
