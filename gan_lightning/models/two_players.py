"""Two networks that are trained, each by an optimizer of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.amp import GradScaler
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from gan_lightning.errors import UserError
from gan_lightning.losses import Player
from gan_lightning.models.frozen import freeze_blocks
from gan_lightning.models.rebuild import match_memory_format, require_optimizer_states
from gan_lightning.models.sampling import LatentModel
from gan_lightning.models.scheduled import optimizer_numbers, require_fitting
from gan_lightning.schedules import Schedule, by_name


class TwoPlayers(LatentModel):
    """A LightningModule with a generator and a discriminator, and an optimizer for each of them.

    Args:
        generator: A network that maps latents (batch, latent_dim) and a condition to samples in [-1, 1]. It has the
            attribute `latent_dim`.
        discriminator: A network that maps samples and a condition to logits (batch,), without a sigmoid.
        optimizer: A function that builds an optimizer from parameters, for both players.
        generator_optimizer: Keyword arguments that differ for the generator.
        discriminator_optimizer: Keyword arguments that differ for the discriminator.
        scheduler: A function that builds a learning-rate schedule from an optimizer; the schedule steps every batch.
            Any of torch's, which has a state; `schedules` has none, and serves other numbers, too.
        schedules: By the names of numbers, such as `optimizer.lr` or `penalties.r1.weight`, curves of
            `gan_lightning.schedules`, in any nesting; None stands for no curve.
        gradient_clip_norm: The largest total gradient norm of an update, after unscaling; None: no clipping.
        freeze_discriminator: The number of D's first blocks that do not train: `gan_lightning.models.frozen`.
        seed: The seed of all random numbers in training.
        standing_statistics: As of `LatentModel`.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        optimizer: Callable[..., Optimizer] = torch.optim.Adam,
        generator_optimizer: Mapping[str, Any] | None = None,
        discriminator_optimizer: Mapping[str, Any] | None = None,
        scheduler: Callable[[Optimizer], LRScheduler] | None = None,
        schedules: Mapping[str, Any] | None = None,
        gradient_clip_norm: float | None = None,
        freeze_discriminator: int = 0,
        seed: int = 0,
        standing_statistics: int = 0,
    ) -> None:
        super().__init__(generator, seed, standing_statistics)
        self.discriminator = discriminator
        freeze_blocks(discriminator, freeze_discriminator)
        self.optimizer = optimizer
        self.optimizer_arguments: dict[Player, Mapping[str, Any]] = {
            "discriminator": discriminator_optimizer or {},
            "generator": generator_optimizer or {},
        }
        self.scheduler = scheduler
        self.schedules: dict[str, Schedule] = dict(by_name(schedules))
        require_fitting(self.schedules, has_scheduler=scheduler is not None)
        self.gradient_clip_norm = gradient_clip_norm

    def networks(self) -> dict[Player, nn.Module]:
        """Returns the modules whose parameters each player updates."""
        return {"discriminator": self.discriminator, "generator": self.generator}

    def schedulable(self) -> dict[str, float]:
        """Returns the numbers that can have a schedule, by name, as the model was built with them."""
        return optimizer_numbers(dict(zip(self.networks(), self.trainer.optimizers, strict=True)))

    # Lightning's hooks

    def configure_optimizers(self) -> tuple[list[Optimizer], list[LRScheduler]]:
        key = "model.optimizer"
        try:
            optimizers = [
                self.optimizer(network.parameters(), **self.optimizer_arguments[player])
                for player, network in self.networks().items()
            ]
            key = "model.scheduler"
            return optimizers, [self.scheduler(optimizer) for optimizer in optimizers] if self.scheduler else []
        except (TypeError, ValueError, ArithmeticError) as error:  # of torch, about the user's values
            raise UserError(f"{key}: {error}") from error

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        if self.gradient_clip_norm is None:
            return
        scaler = self._grad_scaler()
        if scaler is not None and optimizer.defaults.get("fused"):
            scaler.unscale_(optimizer)  # a fused optimizer unscales inside step(): too late for clipping
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(parameters, self.gradient_clip_norm)

    def _grad_scaler(self) -> GradScaler | None:
        return getattr(self.trainer.precision_plugin, "scaler", None)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if "optimizer_states" in checkpoint:
            optimizers = self.configure_optimizers()[0]
            require_optimizer_states(checkpoint["optimizer_states"], optimizers)
            match_memory_format(checkpoint["optimizer_states"], optimizers)
