"""The GAN that learns to predict a part of its latents, the code, from generated samples."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gan_lightning.losses import CodeHead
from gan_lightning.models.gan import GAN


class InfoGAN(GAN):
    """InfoGAN: Chen et al. 2016 (arXiv:1606.03657), eqs. 5 and 6.

        min over G, Q max over D  V(D, G) - weight * L_I(G, Q),   L_I = E log Q(c | G(z, c)) + H(c)

    The last entries of the latent are the code c: one-hot, then uniform in [-1, 1]. Q shares all but its head with D,
    and both players maximize L_I, as in the authors' code.

    Args:
        generator: As of `GAN`.
        discriminator: As of `GAN`; it needs the methods `features` and `head`.
        categories: The number of categories of the one-hot code; 0 means that there is none.
        continuous: The number of uniform codes.
        info_weight: The paper's lambda.
        fix_std: Whether Q's standard deviation of the uniform codes is 1, and not predicted.

    Raises:
        ValueError: The code does not fit into the latent.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        categories: int = 10,
        continuous: int = 2,
        info_weight: float = 1.0,
        fix_std: bool = False,
        **gan: Any,
    ) -> None:
        q = partial(CodeHead, categories=categories, continuous=continuous, weight=info_weight, fix_std=fix_std)
        super().__init__(generator, discriminator, heads={"info": q} | (gan.pop("heads", None) or {}), **gan)
        self.categories = categories
        self.continuous = continuous
        if categories + continuous >= self.latent_dim:
            raise ValueError(
                f"network.generator.latent_dim={self.latent_dim}: expected more than model.categories + "
                f"model.continuous = {categories + continuous}, which are part of it"
            )

    @property
    def prior(self) -> str:
        codes = [f"one-hot of {self.categories}"] * bool(self.categories)
        codes += [f"{self.continuous} uniform in [-1, 1]"] * bool(self.continuous)
        return f"{super().prior}, but the last {self.categories + self.continuous}: {', then '.join(codes)}"

    def sample_prior(self, count: int, generator: torch.Generator) -> Tensor:
        z = super().sample_prior(count, generator)
        codes = torch.rand(count, 1 + self.continuous, generator=generator, device=generator.device)
        end = self.latent_dim - self.continuous
        z[:, end:] = 2 * codes[:, 1:] - 1
        if self.categories:
            one_hot = torch.eye(self.categories, device=generator.device)[(codes[:, 0] * self.categories).long()]
            z[:, end - self.categories : end] = one_hot
        return z
