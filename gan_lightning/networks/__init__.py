"""Generators and discriminators, the two of a family side by side."""

from gan_lightning.networks.attention import SelfAttention
from gan_lightning.networks.autoencoder import AutoencoderDiscriminator
from gan_lightning.networks.began import BEGANDiscriminator, BEGANGenerator
from gan_lightning.networks.biggan import BigGANDiscriminator, BigGANGenerator
from gan_lightning.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from gan_lightning.networks.dirac import DiracDiscriminator, DiracGenerator
from gan_lightning.networks.faces import FaceDiscriminator, FaceGenerator
from gan_lightning.networks.maxout import MaxoutDiscriminator, MaxoutGenerator
from gan_lightning.networks.minibatch import MinibatchDiscrimination, MinibatchStd
from gan_lightning.networks.mlp import MLPDiscriminator, MLPGenerator
from gan_lightning.networks.r3gan import R3GANDiscriminator, R3GANGenerator
from gan_lightning.networks.resnet import ResNetDiscriminator, ResNetGenerator
from gan_lightning.networks.scalar import ScalarDiscriminator, ScalarGenerator
from gan_lightning.networks.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator

__all__ = [
    "AutoencoderDiscriminator",
    "BEGANDiscriminator",
    "BEGANGenerator",
    "BigGANDiscriminator",
    "BigGANGenerator",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "DiracDiscriminator",
    "DiracGenerator",
    "FaceDiscriminator",
    "FaceGenerator",
    "MLPDiscriminator",
    "MLPGenerator",
    "MaxoutDiscriminator",
    "MaxoutGenerator",
    "MinibatchDiscrimination",
    "MinibatchStd",
    "R3GANDiscriminator",
    "R3GANGenerator",
    "ResNetDiscriminator",
    "ResNetGenerator",
    "ScalarDiscriminator",
    "ScalarGenerator",
    "SelfAttention",
    "StyleGAN2Discriminator",
    "StyleGAN2Generator",
]
