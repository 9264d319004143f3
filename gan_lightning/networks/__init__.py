"""Generators and discriminators, a family to a file."""

from gan_lightning.networks.mlp import MLPDiscriminator, MLPGenerator

__all__ = ["MLPDiscriminator", "MLPGenerator"]
