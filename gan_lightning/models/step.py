"""The alternating step of every GAN, written once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from gan_lightning import rng
from gan_lightning.distributed.collectives import all_reduce_mean_
from gan_lightning.errors import UserError
from gan_lightning.losses.adversarial import Terms, total
from gan_lightning.models.sampling import Drawing

Player = Literal["discriminator", "generator"]
Batch = Sequence[Any]
"""(samples, condition); the condition is a class index, a multi-hot vector, or None."""


class AlternatingStep(Drawing):
    """Every batch one discriminator update, every `n_critic` batches one generator update; batches are counted.

    What is minimized comes from `discriminator_terms` and `generator_terms`; who moves when, from `turns`.

    Args:
        generator: maps latents (batch, latent_dim) and a condition to samples in [-1, 1]; knows its `latent_dim`.
        discriminator: maps samples and a condition to logits (batch,), never through a sigmoid.
        optimizer: makes an optimizer of parameters; both players use it.
        generator_optimizer: keyword arguments that differ on the generator's side.
        discriminator_optimizer: keyword arguments that differ on the discriminator's side.
        scheduler: makes a learning-rate schedule of an optimizer; it advances every batch.
        n_critic: discriminator updates per generator update.
        gradient_clip_norm: largest total gradient norm of one update, after unscaling; None: no clipping.
        accumulate: micro-batches in which a batch is processed, for less memory; the update is that of the whole
            batch, unless a layer or a loss looks at the batch as a whole, or draws (dropout, augmentation).
        conditional: whether both networks are told the class or tags of a sample; else they get None.
        seed: keys every draw together with the step.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        optimizer: Callable[..., Optimizer] = torch.optim.Adam,
        generator_optimizer: Mapping[str, Any] | None = None,
        discriminator_optimizer: Mapping[str, Any] | None = None,
        scheduler: Callable[[Optimizer], LRScheduler] | None = None,
        n_critic: int = 1,
        gradient_clip_norm: float | None = None,
        accumulate: int = 1,
        conditional: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(generator, seed)
        self.automatic_optimization = False
        self.discriminator = discriminator
        self.optimizer = optimizer
        self.optimizer_arguments: dict[Player, Mapping[str, Any]] = {
            "discriminator": discriminator_optimizer or {},
            "generator": generator_optimizer or {},
        }
        self.scheduler = scheduler
        self.n_critic = n_critic
        self.gradient_clip_norm = gradient_clip_norm
        self.parts = accumulate
        self.conditional = conditional
        self.terms: dict[Player, Terms] = {}
        self.logits: dict[str, Tensor] = {}

    def discriminator_terms(self, real: Tensor, condition: Tensor | None) -> Terms:
        """Everything D minimizes in one update."""
        raise NotImplementedError

    def generator_terms(self, real: Tensor, condition: Tensor | None) -> Terms:
        """Everything G minimizes in one update."""
        raise NotImplementedError

    def turns(self) -> list[tuple[Player, ...]]:
        """Who moves in this batch; players of one turn take their gradients at the same point."""
        return [("discriminator",), ("generator",)] if self.generator_moves else [("discriminator",)]

    def constrain(self, player: Player) -> None:
        """What a variant does to a player's weights right after its update: here nothing."""

    def observe(self) -> None:
        """What a variant keeps of a batch once it is trained; `logits` and `terms` are the batch's: here nothing."""

    def networks(self) -> dict[Player, nn.Module]:
        """What each player moves."""
        return {"discriminator": self.discriminator, "generator": self.generator}

    @property
    def generator_moves(self) -> bool:
        """Whether the current batch ends with a generator update."""
        return (self.batch_index + 1) % self.n_critic == 0

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        real, condition = batch
        condition = self.conditions.vectors(condition) if self.conditions else None
        self.batch_index = self.global_step
        # Dropout and augmentation draw from the global generators: keyed by process, and safe to resume.
        rng.seed_defaults(self.device, "local", self.seed, self.batch_index, self.global_rank)
        # global_step counts the steps of every optimizer that has Lightning's hooks: leave them to D's alone.
        moving = self._optimizer_of["generator"]
        moving._on_before_step = moving._on_after_step = _do_nothing
        for players in self.turns():
            self._update(players, real, condition)
        self.observe()
        if self.global_step % self.trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            self.log_dict(self.report(), batch_size=len(real))
        for scheduler in self._schedulers:
            scheduler.step()

    def _update(self, players: tuple[Player, ...], real: Tensor, condition: Tensor | None) -> None:
        """One step of some players from one point, while the others are held still."""
        for player, parameters in self._parameters_of.items():
            for parameter in parameters:
                parameter.requires_grad_(player in players)
        for player in players:
            self._optimizer_of[player].zero_grad()
        terms_of = (self._backward if self.parts == 1 else self._backward_in_parts)(players, real, condition)
        if self.trainer.world_size > 1:
            gradients = [p.grad for player in players for p in self._parameters_of[player] if p.grad is not None]
            # The terms too, so that all processes stop at the same batch.
            all_reduce_mean_(
                [*gradients, *(t for terms in terms_of.values() for t in terms.values()), *self._statistics]
            )
        for player, terms in terms_of.items():
            self._require_finite(player, terms)
        for player in players:
            self._optimizer_of[player].step()
            self.constrain(player)
        self.terms |= terms_of

    def _backward(self, players: tuple[Player, ...], real: Tensor, condition: Tensor | None) -> dict[Player, Terms]:
        """Adds to the players' gradients; returns their terms."""
        terms_of: dict[Player, Terms] = {}
        for player in players:
            minimized = self.discriminator_terms if player == "discriminator" else self.generator_terms
            terms_of[player] = minimized(real, condition)
            with torch.autocast(self.device.type, enabled=False):  # else it would round a float32 penalty's gradient
                self.manual_backward(
                    total(terms_of[player]), inputs=self._parameters_of[player], retain_graph=player != players[-1]
                )
        self.logits = {kind: logits.detach() for kind, logits in self.logits.items()}
        return {p: {name: term.detach() for name, term in terms.items()} for p, terms in terms_of.items()}

    def _backward_in_parts(
        self, players: tuple[Player, ...], real: Tensor, condition: Tensor | None
    ) -> dict[Player, Terms]:
        """The same, one micro-batch after the other: means of their gradients and terms, and all their logits."""
        if len(real) % self.parts:
            raise UserError(f"model.accumulate={self.parts}: expected a divisor of a process's {len(real)} samples")
        conditions = [None] * self.parts if condition is None else condition.chunk(self.parts)
        done = []
        for index, part in enumerate(zip(real.chunk(self.parts), conditions, strict=True)):
            self.part = index
            done.append((self._backward(players, *part), self.logits))
        for gradient in (p.grad for player in players for p in self._parameters_of[player] if p.grad is not None):
            gradient /= self.parts
        if "discriminator" in players:
            self.logits = {kind: torch.cat([logits[kind] for _, logits in done]) for kind in self.logits}
        return {
            player: {name: torch.stack([terms[player][name] for terms, _ in done]).mean() for name in names}
            for player, names in done[0][0].items()
        }

    def _require_finite(self, player: Player, terms: Terms) -> None:
        if not math.isfinite(total(terms).item()):
            values = ", ".join(f"{name}={term.item():g}" for name, term in terms.items())
            raise FloatingPointError(
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

    def configure_optimizers(self) -> tuple[list[Optimizer], list[LRScheduler]]:
        optimizers = [
            self.optimizer(network.parameters(), **self.optimizer_arguments[player])
            for player, network in self.networks().items()
        ]
        return optimizers, [self.scheduler(optimizer) for optimizer in optimizers] if self.scheduler else []

    def setup(self, stage: str) -> None:
        if self.conditional and self.conditions is None:
            self.conditions = getattr(self.trainer.datamodule, "conditions", None)  # type: ignore[attr-defined]
            if self.conditions is None or len(self.conditions.examples) == 0:
                raise UserError("model.conditional=true: the data has no labels. Choose another data=, or false")

    def on_train_start(self) -> None:
        networks = self.networks()
        self._parameters_of = {
            player: [p for p in network.parameters() if p.requires_grad] for player, network in networks.items()
        }
        self._statistics = [b for net in networks.values() for b in net.buffers() if b.is_floating_point()]
        self._optimizer_of = dict(zip(networks, self.optimizers(), strict=True))  # type: ignore[arg-type]
        for optimizer in self.trainer.optimizers:
            optimizer._opt_called = True  # type: ignore[attr-defined]  # a schedule may advance before G first moves
        schedulers = self.lr_schedulers() or []
        self._schedulers: list[Any] = schedulers if isinstance(schedulers, list) else [schedulers]

    def on_train_end(self) -> None:
        for parameters in self._parameters_of.values():
            for parameter in parameters:
                parameter.requires_grad_(True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self.conditions:
            checkpoint["conditions"] = self.conditions.state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        saved = checkpoint.get("conditions", {}).get("names")
        if self.conditions and saved != list(self.conditions.names):
            own = list(self.conditions.names)
            raise UserError(f"data.root: its labels are {own}; expected those of the checkpoint, {saved}")

    # Reporting

    def report(self) -> dict[str, float | Tensor]:
        """The metrics of the batch just trained: losses, their terms, scores, learning rates, position.

        All are means over all processes. A score is the mean of sigmoid(logit).
        """
        scores = {f"score/{kind}": logits.sigmoid().mean() for kind, logits in self.logits.items()}
        if self.trainer.world_size > 1:
            all_reduce_mean_(list(scores.values()))
        metrics: dict[str, float | Tensor] = dict(scores)
        for (player, terms), optimizer in zip(self.terms.items(), self.trainer.optimizers, strict=False):
            metrics[f"loss/{player}"] = total(terms)
            metrics |= {f"terms/{player}_{name}": term for name, term in terms.items()}
            metrics[f"lr/{player}"] = optimizer.param_groups[0]["lr"]
        # Lightning takes the logger's x from "step"; its own count starts at 0.
        return metrics | {"step": float(self.global_step), "epoch": float(self.current_epoch)}


def _do_nothing() -> None:
    pass
