"""Parts of the objectives: adversarial losses, penalties, regularizers, auxiliary heads, and augmentation before D."""

from gan_lightning.losses.ada import AdaptiveAugment
from gan_lightning.losses.adversarial import (
    AdversarialLoss,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    RelativisticAverage,
    RelativisticPairs,
    Wasserstein,
)
from gan_lightning.losses.augmentation import Augment, DiffAugment
from gan_lightning.losses.consistency import bcr, cr
from gan_lightning.losses.contrastive import ContrastiveHead, Data2DataHead
from gan_lightning.losses.equilibrium import BoundaryEquilibrium
from gan_lightning.losses.generator_regularizers import (
    Generated,
    GeneratorRegularizer,
    LatentDistance,
    OrthogonalRegularizer,
    PathLength,
)
from gan_lightning.losses.heads import ClassifierHead, CodeHead, Head
from gan_lightning.losses.instance_noise import InstanceNoise
from gan_lightning.losses.penalties import dragan, dragan_uniform, r1, r2, wgan_gp, zero_centered_gp
from gan_lightning.losses.pipeline import AugmentPipeline
from gan_lightning.losses.regularizers import LeCam
from gan_lightning.losses.terms import BatchOutput, DiscriminatorOutput, Part, Player, StepOutput, Terms
from gan_lightning.losses.top_k import TopK

__all__ = [
    "AdaptiveAugment",
    "AdversarialLoss",
    "Augment",
    "AugmentPipeline",
    "BatchOutput",
    "BoundaryEquilibrium",
    "ClassifierHead",
    "CodeHead",
    "ContrastiveHead",
    "Data2DataHead",
    "DiffAugment",
    "DiscriminatorOutput",
    "Generated",
    "GeneratorRegularizer",
    "Head",
    "Hinge",
    "InstanceNoise",
    "LatentDistance",
    "LeCam",
    "LeastSquares",
    "Minimax",
    "NonSaturating",
    "OrthogonalRegularizer",
    "Part",
    "PathLength",
    "Player",
    "RelativisticAverage",
    "RelativisticPairs",
    "StepOutput",
    "Terms",
    "TopK",
    "Wasserstein",
    "bcr",
    "cr",
    "dragan",
    "dragan_uniform",
    "r1",
    "r2",
    "wgan_gp",
    "zero_centered_gp",
]
