"""A model says how it was made: its checkpoint alone rebuilds it."""

import copy
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from gan_lightning import models
from gan_lightning.callbacks import GeneratorEMA
from gan_lightning.config.instantiate import instantiate
from gan_lightning.data import Digits
from gan_lightning.errors import UserError
from gan_lightning.losses import (
    AdaptiveAugment,
    BoundaryEquilibrium,
    ClassifierHead,
    DiffAugment,
    Hinge,
    InstanceNoise,
    LeCam,
    TopK,
    cr,
    r1,
    wgan_gp,
)
from gan_lightning.models import GAN, simultaneous
from gan_lightning.networks import (
    AutoencoderDiscriminator,
    BigGANDiscriminator,
    BigGANGenerator,
    ResNetDiscriminator,
    ResNetGenerator,
)
from gan_lightning.specs import Described, spec_of, unknown_parts
from tests.conftest import TESTS
from tests.models.composed import SMALL, build_both
from tests.models.test_gan import ADAM, SHAPE, networks, trainer
from tests.models.test_variants import conditional_networks

SCHEDULE = partial(torch.optim.lr_scheduler.StepLR, step_size=3, gamma=0.5)


@pytest.fixture
def helpers(monkeypatch):
    """The tests' own package, as a user's, which a configuration may name."""
    import importlib

    monkeypatch.syspath_prepend(str(TESTS))
    monkeypatch.setenv("GAN_LIGHTNING_TRUST", "helpers")
    return importlib.import_module("helpers")


def trained(model: GAN, path, data=None, callbacks=(), max_steps=2) -> GAN:
    """The model, after some batches and with a checkpoint by Lightning's own hand."""
    runner = trainer(max_steps, callbacks=list(callbacks))
    runner.fit(model, data or Digits(SHAPE, batch_size=32))
    runner.save_checkpoint(path, weights_only=True)
    return model


def assert_same(one: GAN, other: GAN) -> None:
    assert type(one) is type(other)
    assert one.spec == other.spec
    state, weights = one.state_dict(), other.state_dict()
    assert state.keys() == weights.keys()
    assert all(torch.equal(weights[name], value) for name, value in state.items())
    torch.testing.assert_close(one.sample(3, seed=4), other.sample(3, seed=4), rtol=0, atol=0)


HAND_MADE = {
    "gan": lambda: GAN(*networks(), optimizer=torch.optim.SGD, generator_optimizer={"lr": 0.1}, scheduler=SCHEDULE),
    "parts": lambda: GAN(
        *networks(),
        loss=Hinge(),
        optimizer=ADAM,
        phases=simultaneous,
        penalties={"r1": partial(r1, weight=0.5), "gp": partial(wgan_gp, weight=1.0)},
        regularizers={"lecam": LeCam(weight=0.1, decay=0.5)},
        augment=AdaptiveAugment(DiffAugment(["flip"]), ada_images=64, every_n_batches=1),
        n_critic=2,
        seed=9,
    ),
    "acgan": lambda: models.ACGAN(
        *conditional_networks(), classes=10, conditional=True, heads={}, optimizer=ADAM, gradient_clip_norm=1.0
    ),
    "infogan": lambda: models.InfoGAN(*networks(), categories=2, continuous=1, optimizer=ADAM),
    "began": lambda: models.BEGAN(
        networks()[0],
        AutoencoderDiscriminator(SHAPE, (8,), 4),
        loss=BoundaryEquilibrium(gamma=0.3, lambda_k=0.5),
        optimizer=ADAM,
    ),
    "sngan": lambda: models.SNGAN(
        ResNetGenerator(6, [1, 8, 8], 4), ResNetDiscriminator(image_shape=[1, 8, 8], base_channels=4), optimizer=ADAM
    ),
    "biggan": lambda: models.BigGAN(
        BigGANGenerator(6, [1, 8, 8], 4, attention=8), BigGANDiscriminator([1, 8, 8], attention=4), optimizer=ADAM
    ),
    "ways": lambda: models.SAN(
        *networks(), loss=TopK(Hinge(), 0.5), penalties={"cr": partial(cr, weight=1.0)}, augment=InstanceNoise(0.1)
    ),
    "reacgan": lambda: models.ReACGAN(
        *conditional_networks(), classes=10, embedding_dim=8, margin=0.9, conditional=True, optimizer=ADAM
    ),
    "zcr": lambda: models.ZCRGAN(*networks(), latent_std=0.1, optimizer=ADAM),
    "matching": lambda: models.MatchingAwareGAN(
        *conditional_networks(), mismatch="fake", conditional=True, optimizer=ADAM
    ),
}


@pytest.mark.parametrize("name", HAND_MADE)
def test_a_model_made_by_hand_is_rebuilt_by_its_checkpoint_alone(name, tmp_path):
    model = trained(HAND_MADE[name](), tmp_path / "a.ckpt", callbacks=[GeneratorEMA()])
    torch.load(tmp_path / "a.ckpt", weights_only=True)
    again = GAN.load_from_checkpoint(tmp_path / "a.ckpt")
    assert_same(model, again)
    assert (again.n_critic, again.seed) == (model.n_critic, model.seed)
    assert again.phases(1, 2) == model.phases(1, 2)
    assert again.generator_ema is not None


def test_nested_functions_are_rebuilt_with_their_arguments():
    model = HAND_MADE["parts"]()
    again = instantiate(model.spec, "model")
    assert again.penalties["r1"].func is r1
    assert again.penalties["r1"].keywords == {"weight": 0.5}
    assert again.optimizer.func is torch.optim.Adam
    assert again.optimizer.keywords == {"lr": 1e-3, "betas": [0.5, 0.9]}
    assert again.regularizers["lecam"].decay == 0.5
    assert again.augment.transforms.policy == ("flip",)
    plain = instantiate(HAND_MADE["gan"]().spec, "model")
    assert plain.optimizer.func is torch.optim.SGD
    assert plain.scheduler.keywords == {"step_size": 3, "gamma": 0.5}


def test_heads_are_rebuilt(tmp_path):
    heads = {"class": partial(ClassifierHead, num_classes=10, weight=0.25)}
    model = GAN(*conditional_networks(), heads=heads, conditional=True, optimizer=ADAM)
    again = GAN.load_from_checkpoint(trained(model, tmp_path / "a.ckpt") and tmp_path / "a.ckpt")
    assert again.heads["class"].weight == 0.25
    assert_same(model, again)


def test_a_model_of_a_configuration_is_rebuilt_too(tmp_path):
    model, data = build_both("model=acgan", "model/loss=hinge", "augment=adaptive", *SMALL)
    trained(model, tmp_path / "a.ckpt", data)
    again = models.ACGAN.load_from_checkpoint(tmp_path / "a.ckpt")
    assert again.vocabulary.names == model.vocabulary.names
    assert_same(model, again)


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    trained(HAND_MADE["gan"](), tmp_path / "a.ckpt")
    with pytest.raises(UserError, match=r"a\.ckpt holds a GAN, not a BEGAN"):
        models.BEGAN.load_from_checkpoint(tmp_path / "a.ckpt")


def test_copies_say_the_same():
    model = HAND_MADE["parts"]()
    twin = copy.deepcopy(model)
    assert twin.spec == model.spec
    assert twin.spec is not model.spec
    assert twin.loss.spec == {"_target_": "gan_lightning.losses.Hinge"}


def test_arguments_count_however_they_are_given():
    by_place, by_name = (
        AutoencoderDiscriminator(SHAPE, (8,), 4),
        AutoencoderDiscriminator(image_shape=(1, 8, 8), hidden_dims=[8], code_dim=4),
    )
    assert by_place.spec.keys() == by_name.spec.keys() >= {"_target_", "image_shape"}
    assert list(by_place.spec.values()) == list(by_name.spec.values())
    assert spec_of(partial(r1, weight=2.0)) == {"_target_": "gan_lightning.losses.r1", "_partial_": True, "weight": 2.0}


def test_a_part_that_does_not_say_how_it_was_made_is_named(helpers, tmp_path):
    model = GAN(helpers.Bare(), networks()[1], optimizer=ADAM)
    assert unknown_parts(model.spec) == ["generator (helpers.Bare)"]
    trained(model, tmp_path / "a.ckpt")
    with pytest.raises(UserError, match=r"parts do not say how they were made: generator \(helpers\.Bare\)\. Let"):
        GAN.load_from_checkpoint(tmp_path / "a.ckpt")


def test_with_described_among_its_bases_it_is_rebuilt(helpers, tmp_path, monkeypatch):
    monkeypatch.setattr(helpers, "Bare", type("Bare", (Described, helpers.Bare), {"__module__": "helpers"}))
    model = trained(GAN(helpers.Bare(), networks()[1], optimizer=ADAM), tmp_path / "a.ckpt")
    assert_same(model, GAN.load_from_checkpoint(tmp_path / "a.ckpt"))


def test_a_network_of_torch_named_by_a_configuration_is_rebuilt():
    node = {"_target_": "torch.nn.Linear", "in_features": 3, "out_features": 2}
    assert isinstance(instantiate(spec_of(instantiate(node, "model")), "model"), nn.Linear)


@pytest.mark.parametrize("phases", ["alternating", "simultaneous"])
def test_a_users_own_loss_trains_and_is_rebuilt(helpers, tmp_path, phases):
    """One class of two functions, in a package of the user's."""
    chosen = ("~model.loss", "+model.loss={_target_: helpers.Smoothed, smoothing: 0.2}")
    model, data = build_both("model=acgan", f"model/phases={phases}", *chosen, *SMALL)
    assert isinstance(model.loss, helpers.Smoothed)
    outputs = []
    model.on_train_batch_end = lambda output, *_: outputs.append(output["terms"])
    trained(model, tmp_path / "a.ckpt", data)
    assert outputs[1]["discriminator"].keys() == {"real", "fake", "class_real", "class_fake"}
    again = GAN.load_from_checkpoint(tmp_path / "a.ckpt")
    assert again.loss.smoothing == 0.2
    assert_same(model, again)


def test_a_users_package_that_is_not_trusted_is_not_imported(helpers, tmp_path, monkeypatch):
    trained(GAN(*networks(), loss=helpers.Smoothed(), optimizer=ADAM), tmp_path / "a.ckpt")
    monkeypatch.delenv("GAN_LIGHTNING_TRUST")
    with pytest.raises(UserError, match=r"helpers\.Smoothed .*GAN_LIGHTNING_TRUST=helpers"):
        GAN.load_from_checkpoint(tmp_path / "a.ckpt")


def test_an_optimizer_that_has_no_name_is_not_needed_to_rebuild(tmp_path):
    model = trained(GAN(*networks(), optimizer=lambda p, **k: torch.optim.SGD(p, lr=0.1, **k)), tmp_path / "a.ckpt")
    again = GAN.load_from_checkpoint(tmp_path / "a.ckpt")
    torch.testing.assert_close(again.sample(2), model.eval().sample(2))


def test_numbers_of_numpy_become_plain_ones(tmp_path):
    assert [type(spec_of(number)) for number in (np.float64(1), np.int64(2), True)] == [float, int, bool]
    trained(GAN(*networks(), gradient_clip_norm=np.float64(0.5)), tmp_path / "a.ckpt")
    assert GAN.load_from_checkpoint(tmp_path / "a.ckpt").gradient_clip_norm == 0.5


class PassesOn(GAN):
    def __init__(self, *args, **more):
        super().__init__(*args, **more)


def test_arguments_that_a_class_passes_on_have_the_names_of_the_next():
    generator, discriminator = networks()
    spec = PassesOn(generator, discriminator, n_critic=3).spec
    assert (spec["generator"], spec["discriminator"]) == (generator.spec, discriminator.spec)
    assert spec["n_critic"] == 3
    assert "args" not in spec
