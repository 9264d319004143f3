"""The networks of the DiracGAN, of one number each: Mescheder et al. 2018 (arXiv:1801.04406), definition 2.1."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gan_lightning.specs import Described


class DiracGenerator(Described, nn.Module):
    """z -> theta: all samples are one number.

    Args:
        theta: The initial value.
        noise_std: The standard deviation of instance noise (ibid., section 3.2), z -> theta + noise_std z. The data
            needs the same.
    """

    latent_dim = 1

    def __init__(self, theta: float = 1.0, noise_std: float = 0.0) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor(float(theta)))
        self.noise_std = noise_std

    def forward(self, z: Float[Tensor, "batch 1"], condition: None = None) -> Float[Tensor, "batch 1"]:
        return self.theta + self.noise_std * z


class DiracDiscriminator(Described, nn.Module):
    """x -> -psi x. The paper's D is large on generated samples, a logit is large on real ones; hence the sign.

    Args:
        psi: The initial value.
    """

    def __init__(self, psi: float = 1.0) -> None:
        super().__init__()
        self.psi = nn.Parameter(torch.tensor(float(psi)))

    def forward(self, x: Float[Tensor, "batch 1"], condition: None = None) -> Float[Tensor, " batch"]:
        return -self.psi * x.squeeze(1)
