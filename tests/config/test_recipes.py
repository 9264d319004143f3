"""Another optimizer than a recipe's: what it does not take is left out, unless it was typed."""

import logging

import pytest
import torch

from gan_lightning.config.check import check
from gan_lightning.config.instantiate import Config, build
from gan_lightning.config.options import list_models
from gan_lightning.config.recipes import fit_optimizer, typed_keys
from gan_lightning.errors import UserError
from tests import conftest
from tests.models.composed import SMALL

CHOICES = {
    "adam": torch.optim.Adam,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
    "_target_=torch.optim.RAdam": torch.optim.RAdam,
}
NUMBERS = ("data=gaussian_1d", "network=scalar")
WITHOUT_BETAS = ("density_matching", "wgan")
"""Their recipes are for SGD and for RMSprop."""


def fitted(*overrides: str) -> Config:
    """What a command line trains."""
    config = conftest.composed(*overrides)
    chosen = [override.partition("=")[2] for override in overrides if override.startswith("model/optimizer=")]
    fit_optimizer(config, typed_keys(overrides), chosen[0] if chosen else "adam")
    return check(config)


def choice(optimizer: str) -> str:
    return f"model.optimizer.{optimizer}" if optimizer.startswith("_") else f"model/optimizer={optimizer}"


@pytest.mark.parametrize(
    ("model", "optimizer"),
    [
        ("gan_r1", "rmsprop"),  # a recipe with betas
        ("density_matching", "_target_=torch.optim.RAdam"),  # a recipe for SGD, with momentum
        *(pytest.param(model, optimizer, marks=pytest.mark.slow) for model in list_models() for optimizer in CHOICES),
    ],
)
def test_every_model_with_every_optimizer(model, optimizer):
    data = NUMBERS if model == "density_matching" else (*SMALL, "network=mlp")
    if model == "began":
        data = (*(option for option in data if "hidden_dims" not in option), "network=autoencoder")
    config = fitted(*data, f"model={model}", choice(optimizer))
    section = config["model"]["optimizer"]
    recipe_has_betas = optimizer == "adam" or (optimizer.startswith("_") and model not in WITHOUT_BETAS)
    assert ("betas" in section) == recipe_has_betas
    for made in build(config, "model").configure_optimizers()[0]:
        assert type(made) is CHOICES[optimizer]
        if recipe_has_betas:
            assert list(made.defaults["betas"]) == section["betas"]


def test_what_was_typed_stays_and_is_refused():
    with pytest.raises(UserError, match=r"model\.optimizer\.betas: torch\.optim\.SGD has no such argument"):
        fitted("model/optimizer=sgd", "+model.optimizer.betas=[0.5,0.9]")
    with pytest.raises(UserError, match=r"model\.generator_optimizer\.fused: torch\.optim\.RAdam has no such"):
        fitted("model.optimizer._target_=torch.optim.RAdam", "+model.generator_optimizer={fused: true}")


def test_a_misspelt_argument_of_a_file_is_not_left_out():
    config = conftest.composed("model/optimizer=sgd")
    config.model.optimizer = {**config.model.optimizer, "wieght_decay": 1.0}
    fit_optimizer(config, {"model/optimizer"}, "sgd")
    with pytest.raises(UserError, match=r"model\.optimizer\.wieght_decay: .* did you mean weight_decay"):
        check(config)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("model/optimizer=rmsprop",), True),  # 1e-3, which gan_r1 has for Adam
        (("model=gan", "model.optimizer._target_=torch.optim.SGD"), True),
        (("model/optimizer=rmsprop", "model.optimizer.lr=1e-4"), False),
        (("model=gan", "model/optimizer=sgd"), False),  # the file's own for SGD
        ((), False),
    ],
)
def test_a_learning_rate_for_another_optimizer_is_kept_and_told(overrides, said, caplog):
    with caplog.at_level(logging.WARNING):
        fitted(*overrides)
    assert ("was chosen for another optimizer" in caplog.text) == said


@pytest.mark.parametrize("name", ["LBFGS", "SparseAdam"])
def test_optimizers_that_cannot_train_a_network_in_one_step_are_refused(name):
    with pytest.raises(UserError, match=f"model.optimizer._target_=torch.optim.{name}: it needs"):
        fitted(f"model.optimizer._target_=torch.optim.{name}")
