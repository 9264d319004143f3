"""The GAN that learns the distribution of a single number."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gan_lightning import rng
from gan_lightning.models.gan import GAN


class DensityMatchingGAN(GAN):
    """One-dimensional GAN, as in the demonstration known as gan-intro, on samples of N(mean, std).

    The latents stratify [-8, 8]: z_i = -8 + 16 i / (n - 1) + 0.01 U(0, 1). Before the first batch D is fitted to the
    true density p by least squares, on x uniform in [-5, 5], with the optimizer and schedule that it has in training:

        D minimizes  E_x (D(x) - p(x))^2

    Args:
        generator: As of `GAN`, with latent_dim = 1.
        discriminator: As of `GAN`.
        mean: The mean of the data.
        std: The standard deviation of the data.
        pretrain_steps: The number of optimizer steps of the least-squares fit; 0: no fit.
        pretrain_batch: The number of points x in each of these steps.
    """

    BLOCK = 10_000  # a histogram of fewer stratified latents would show gaps between the strata

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        mean: float,
        std: float,
        pretrain_steps: int = 1000,
        pretrain_batch: int = 12,
        **gan: Any,
    ) -> None:
        super().__init__(generator, discriminator, **gan)
        self.mean, self.std = mean, std
        self.pretrain_steps = pretrain_steps
        self.pretrain_batch = pretrain_batch
        if self.pack > 1:
            raise ValueError(
                f"model.pack={self.pack}: stratified latents have an order, and packs would show it; set it to 1"
            )
        if self.latent_dim != 1:
            raise ValueError(f"network.generator: latents of {self.latent_dim} numbers, expected 1; use network=scalar")

    @property
    def prior(self) -> str:
        return "uniform in [-8, 8]"

    def sample_prior(self, count: int, generator: torch.Generator) -> Float[Tensor, "count 1"]:
        device = generator.device
        jitter = 0.01 * torch.rand(count, generator=generator, device=device)
        return (torch.linspace(-8, 8, count, device=device) + jitter).unsqueeze(1)

    def fixed_z(self, num: int, seed: int, truncation: float | None = None) -> Float[Tensor, "num 1"]:
        """Returns latents as any model; they are shuffled, so that the first ones come from the whole interval."""
        blocks = math.ceil(num / self.BLOCK)
        ordered = super().fixed_z(blocks * self.BLOCK, seed, truncation).split(self.BLOCK)
        shuffled = [z[rng.permutation(self.BLOCK, "strata", seed, block)] for block, z in enumerate(ordered)]
        return torch.cat(shuffled)[:num]

    def density(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Returns the probability density p(x) of the data."""
        return torch.exp(-(((x - self.mean) / self.std) ** 2) / 2) / (self.std * math.sqrt(2 * math.pi))

    def on_train_start(self) -> None:
        super().on_train_start()
        if self.global_step == 0:
            self._fit_discriminator_to_density()

    def _fit_discriminator_to_density(self) -> None:
        self.discriminator.requires_grad_(True)
        optimizer = self.optimizer(self.discriminator.parameters(), **self.optimizer_arguments["discriminator"])
        scheduler = self.scheduler(optimizer) if self.scheduler else None
        draws = rng.generator("pretrain", self.seed, device=self.device)  # the same on every process
        for _ in range(self.pretrain_steps):
            x = torch.rand(self.pretrain_batch, 1, generator=draws, device=self.device) * 10 - 5
            optimizer.zero_grad()
            (self.discriminator(x).sigmoid() - self.density(x.squeeze(1))).square().mean().backward()
            optimizer.step()
            if scheduler:
                scheduler.step()
