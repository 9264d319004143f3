"""Models as the command line makes them, without a run: composed by Hydra, checked, built."""

from functools import cache

from gan_lightning.config.build import Config, build
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from lightning import LightningDataModule

from gan_lightning.config.check import check
from gan_lightning.config.resolvers import register_resolvers
from gan_lightning.models import GAN
from tests.conftest import PROJECT

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
    register_resolvers()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        return check(compose("config", ["name=unused", "run_dir=unused", *overrides]))


def build_model(*overrides: str) -> GAN:
    """The model of a command line."""
    return build(composed(*overrides), "model")


def build_both(*overrides: str) -> tuple[GAN, LightningDataModule]:
    """The model and the data of a command line."""
    return build_model(*overrides), build(composed(*overrides), "data")
