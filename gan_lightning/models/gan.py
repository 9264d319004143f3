"""The alternating step of every GAN, and the non-saturating GAN itself."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from lightning import LightningModule
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer

from gan_lightning import losses, rng
from gan_lightning.distributed import average_
from gan_lightning.losses import Terms, total

Player = Literal["discriminator", "generator"]
Batch = Sequence[Any]
"""(samples, condition); the condition is a class index, a multi-hot vector, or None."""


class GAN(LightningModule):
    """Non-saturating GAN: Goodfellow et al. 2014 (arXiv:1406.2661), eq. 1 and section 3.

        D minimises  -E_x log D(x) - E_z log(1 - D(G(z)))  + penalties
        G minimises  -E_z log D(G(z))

    A variant overrides the losses: `discriminator_loss` and `generator_loss` where logits suffice,
    `discriminator_terms` and `generator_terms` where they do not. It inherits the step: every batch one
    discriminator update, every `n_critic` batches one generator update; `global_step` counts batches.

    Args:
        generator: maps latents (batch, latent_dim) to samples in [-1, 1]; has the attribute `latent_dim`.
        discriminator: maps samples to logits (batch,), never through a sigmoid.
        optimizer: makes an optimizer of parameters; both players use it.
        generator_optimizer: keyword arguments that differ on the generator's side.
        discriminator_optimizer: keyword arguments that differ on the discriminator's side.
        penalties: by name, functions as in `gan_lightning.penalties`, added to D's loss.
        n_critic: discriminator updates per generator update.
        gradient_clip_norm: largest total gradient norm of one update, after unscaling; None: no clipping.
        seed: keys every draw together with the step.
    """

    BLOCK = 64
    """Samples that `samples` draws at a time."""

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        optimizer: Callable[..., Optimizer] = torch.optim.Adam,
        generator_optimizer: Mapping[str, Any] | None = None,
        discriminator_optimizer: Mapping[str, Any] | None = None,
        penalties: Mapping[str, Callable[..., Tensor]] | None = None,
        n_critic: int = 1,
        gradient_clip_norm: float | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator = generator
        self.discriminator = discriminator
        self.latent_dim: int = generator.latent_dim  # type: ignore[assignment]
        self.generator_ema: nn.Module | None = None
        self.optimizer = optimizer
        self.optimizer_arguments: dict[Player, Mapping[str, Any]] = {
            "discriminator": discriminator_optimizer or {},
            "generator": generator_optimizer or {},
        }
        self.penalties = dict(penalties or {})
        self.n_critic = n_critic
        self.gradient_clip_norm = gradient_clip_norm
        self.seed = seed
        self.batch_index = 0
        self.terms: dict[Player, Terms] = {}
        self.logits: dict[str, Tensor] = {}

    # What a variant overrides

    def discriminator_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Terms:
        """D's loss as named scalar terms."""
        return losses.nonsaturating_discriminator(real_logits, fake_logits)

    def generator_loss(self, fake_logits: Tensor) -> Terms:
        """G's loss as named scalar terms."""
        return losses.nonsaturating_generator(fake_logits)

    def discriminator_terms(self, real: Tensor, condition: Tensor | None) -> Terms:
        """Everything D minimises in one update."""
        with torch.no_grad():
            fake = self.generator(self.latent(len(real), "discriminator"))
        real_logits, fake_logits = self.discriminator(real), self.discriminator(fake)
        self.logits = {"real": real_logits.detach(), "fake": fake_logits.detach()}
        penalties = {name: penalty(self.discriminator, real, fake) for name, penalty in self.penalties.items()}
        return self.discriminator_loss(real_logits, fake_logits) | penalties

    def generator_terms(self, real: Tensor, condition: Tensor | None) -> Terms:
        """Everything G minimises in one update, on fresh latents."""
        fake = self.generator(self.latent(len(real), "generator"))
        return self.generator_loss(self.discriminator(fake))

    # The step, written once

    @property
    def generator_moves(self) -> bool:
        """Whether the current batch ends with a generator update."""
        return (self.batch_index + 1) % self.n_critic == 0

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        real, condition = batch
        self.batch_index = self.global_step
        # Dropout and augmentation draw from the global generators: keyed by process, and safe to resume.
        rng.seed_defaults(self.device, "local", self.seed, self.batch_index, self.global_rank)
        discriminator_optimizer, generator_optimizer = self.optimizers()  # type: ignore[attr-defined]
        # global_step counts the steps of every optimizer that has Lightning's hooks: leave them to D's alone.
        generator_optimizer._on_before_step = generator_optimizer._on_after_step = _do_nothing
        self._update("discriminator", discriminator_optimizer, lambda: self.discriminator_terms(real, condition))
        if self.generator_moves:
            self._update("generator", generator_optimizer, lambda: self.generator_terms(real, condition))
        if self.global_step % self.trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            self.log_dict(self.report(), batch_size=len(real))

    def _update(self, player: Player, optimizer: LightningOptimizer, terms_of: Callable[[], Terms]) -> None:
        """One step of one player while the other is held still."""
        for name, parameters in self._parameters_of.items():
            for parameter in parameters:
                parameter.requires_grad_(name == player)
        optimizer.zero_grad()
        terms = terms_of()
        loss = total(terms)
        self.manual_backward(loss)
        terms = {name: term.detach() for name, term in terms.items()}
        if self.trainer.world_size > 1:
            gradients = [p.grad for p in self._parameters_of[player] if p.grad is not None]
            average_([*gradients, *terms.values(), *self._statistics])
            loss = total(terms)  # the mean over all processes, so that all of them stop at the same batch
        if not math.isfinite(loss.item()):
            raise FloatingPointError(self._not_finite(player, terms))
        optimizer.step()
        self.terms[player] = terms

    def _not_finite(self, player: Player, terms: Terms) -> str:
        values = ", ".join(f"{name}={term.item():g}" for name, term in terms.items())
        return (
            f"the {player}'s loss is not finite at batch {self.batch_index + 1}: {values}. Its optimizer has not "
            "moved. A smaller model.optimizer.lr or a model.gradient_clip_norm may help"
        )

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        if self.gradient_clip_norm is None:
            return
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        if scaler is not None and getattr(optimizer, "_step_supports_amp_scaling", False):
            scaler.unscale_(optimizer)  # a fused optimizer unscales inside step(): too late for clipping
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(parameters, self.gradient_clip_norm)

    # Lightning's wiring

    def configure_optimizers(self) -> list[Optimizer]:
        return [
            self.optimizer(network.parameters(), **self.optimizer_arguments[player])
            for player, network in self._networks().items()
        ]

    def on_train_start(self) -> None:
        networks = self._networks()
        self._parameters_of = {
            player: [p for p in network.parameters() if p.requires_grad] for player, network in networks.items()
        }
        self._statistics = [b for net in networks.values() for b in net.buffers() if b.is_floating_point()]

    def _networks(self) -> dict[Player, nn.Module]:
        return {"discriminator": self.discriminator, "generator": self.generator}

    # Drawing and reporting

    def latent(self, count: int, *purpose: str) -> Float[Tensor, "count latent"]:
        """This process's latents of the current batch; every purpose has its own draw."""
        return rng.normal(
            count,
            self.latent_dim,
            "latent",
            self.seed,
            self.batch_index,
            *purpose,
            device=self.device,
            rank=self.global_rank,
            world_size=self.trainer.world_size,
        )

    def track_ema(self) -> None:
        """Adds `generator_ema`, a copy of the generator for a callback to average into."""
        self.generator_ema = copy.deepcopy(self.generator).requires_grad_(False)

    @torch.no_grad()
    def samples(self, count: int, seed: int, raw: bool = False) -> Iterator[Float[Tensor, block * sample]]:
        """Samples in [-1, 1] in blocks of at most 64, in eval mode; sample i depends on `seed` and i alone.

        They come from the averaged generator where there is one, unless `raw`.
        """
        generator = self.generator if raw or self.generator_ema is None else self.generator_ema
        was_training = generator.training
        generator.eval()
        try:
            for first in range(0, count, self.BLOCK):
                z = rng.normal(self.BLOCK, self.latent_dim, "samples", seed, first // self.BLOCK)
                yield generator(z[: count - first].to(self.device))
        finally:
            generator.train(was_training)

    def report(self) -> dict[str, float | Tensor]:
        """The figures of the batch just trained: losses, their terms, scores, learning rates, position.

        All are means over all processes. A score is the mean of sigmoid(logit).
        """
        scores = {f"score/{kind}": logits.sigmoid().mean() for kind, logits in self.logits.items()}
        if self.trainer.world_size > 1:
            average_(list(scores.values()))
        figures: dict[str, float | Tensor] = dict(scores)
        for (player, terms), optimizer in zip(self.terms.items(), self.trainer.optimizers, strict=False):
            figures[f"loss/{player}"] = total(terms)
            figures |= {f"terms/{player}_{name}": term for name, term in terms.items()}
            figures[f"lr/{player}"] = optimizer.param_groups[0]["lr"]
        # Lightning takes the logger's x from "step"; its own count starts at 0.
        return figures | {"step": float(self.global_step), "epoch": float(self.current_epoch)}


def _do_nothing() -> None:
    pass
