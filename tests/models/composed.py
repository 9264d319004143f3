"""Models as the command line makes them, without a run: composed by Hydra, checked, built."""

from functools import cache

from lightning import LightningDataModule

from gan_lightning.config.check import check
from gan_lightning.config.instantiate import Config, build
from gan_lightning.models import GAN
from tests import conftest

SMALL = (
    "trainer=cpu",
    "data.image_shape=[1,8,8]",
    "data.batch_size=16",
    "network.generator.hidden_dims=[8,8]",
    "network.discriminator.hidden_dims=[8]",
    "network.generator.latent_dim=16",
)
"""An MLP on digits of 8x8 pixels."""


@cache
def composed(*overrides: str) -> Config:
    """The checked configuration of a command line."""
    return check(conftest.composed(*overrides))


def build_model(*overrides: str) -> GAN:
    """The model of a command line."""
    return build(composed(*overrides), "model")


def build_both(*overrides: str) -> tuple[GAN, LightningDataModule]:
    """The model and the data of a command line."""
    return build_model(*overrides), build(composed(*overrides), "data")
