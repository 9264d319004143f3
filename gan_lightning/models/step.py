"""The training step that all GANs share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from gan_lightning import rng
from gan_lightning.cadence import is_last_batch
from gan_lightning.distributed.collectives import all_reduce_mean_
from gan_lightning.errors import UserError
from gan_lightning.losses import Player, StepOutput, Terms
from gan_lightning.losses.terms import total
from gan_lightning.models.draws import Draws
from gan_lightning.models.phases import Phase, Phases, alternating
from gan_lightning.models.rebuild import require_optimizer_states
from gan_lightning.models.sampling import LatentModel


@dataclass(frozen=True)
class Batch:
    """Samples with their conditions and latents.

    Attributes:
        samples: (batch, *shape of a sample), in [-1, 1].
        condition: Condition vectors (batch, condition_dim); None in an unconditional model.
        z: The latents (batch, latent_dim) of generated samples; None for real ones.
    """

    samples: Tensor
    condition: Tensor | None
    z: Tensor | None = None

    def with_gradient(self) -> Batch:
        """Returns the same batch, at whose samples gradients can be taken."""
        return self if self.samples.requires_grad else replace(self, samples=self.samples.detach().requires_grad_())

    def chunk(self, count: int) -> list[Batch]:
        """Splits a real batch into `count` micro-batches."""
        conditions = [None] * count if self.condition is None else self.condition.chunk(count)
        return [Batch(*part) for part in zip(self.samples.chunk(count), conditions, strict=True)]


class GANStep(LatentModel):
    """A LightningModule that trains every batch in phases; a phase updates some players and freezes the others.

    A subclass defines the objectives in `losses`; `phases` defines which players are updated, and when. `global_step`
    counts batches, not optimizer steps.

    Args:
        generator: A network that maps latents (batch, latent_dim) and a condition to samples in [-1, 1]. It has the
            attribute `latent_dim`.
        discriminator: A network that maps samples and a condition to logits (batch,), without a sigmoid.
        optimizer: A function that builds an optimizer from parameters, for both players.
        generator_optimizer: Keyword arguments that differ for the generator.
        discriminator_optimizer: Keyword arguments that differ for the discriminator.
        scheduler: A function that builds a learning-rate schedule from an optimizer; the schedule steps every batch.
        phases: The order of the updates: `alternating` or `simultaneous`.
        n_critic: The number of discriminator updates per generator update.
        gradient_clip_norm: The largest total gradient norm of an update, after unscaling; None: no clipping.
        accumulate: The number of micro-batches in which a batch is processed, for less memory. The update is that of
            the whole batch, unless a layer or a loss depends on all of its samples, or is random (dropout,
            augmentation).
        conditional: Whether both networks get the labels of a sample; they get None otherwise.
        seed: The seed of all random numbers in training.
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
        phases: Phases = alternating,
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
        self.phases = phases
        self.n_critic = n_critic
        self.gradient_clip_norm = gradient_clip_norm
        self.micro_batches = accumulate
        self.conditional = conditional
        self.last_output = StepOutput(terms={}, logits={})
        """The last terms of each player and the last logits, for reports."""

    def losses(self, players: Phase, real: Batch, draws: Draws) -> StepOutput:
        """Returns the objectives of a phase's players on a batch, with their graph; `draws` has the random numbers."""
        raise NotImplementedError

    def after_step(self, player: Player) -> None:
        """Changes a player's weights right after its update, such as by weight clipping; here it does nothing."""

    def on_step_end(self, output: StepOutput) -> None:
        """Updates the state of the parts after a batch. An override calls `super().on_step_end(output)`."""

    def networks(self) -> dict[Player, nn.Module]:
        """Returns the modules whose parameters each player updates."""
        return {"discriminator": self.discriminator, "generator": self.generator}

    def training_step(self, batch: Sequence[Any], batch_idx: int) -> StepOutput:
        """Trains on a batch (samples, labels); labels are class indices, multi-hot rows or None."""
        samples, labels = batch
        condition = self.vocabulary.encode(labels).to(self.dtype) if self.vocabulary else None
        real = Batch(samples.to(self.dtype), condition)
        draws = Draws(self.seed, self.global_step, self.device, self.global_rank, self.trainer.world_size)
        # Dropout and augmentation use the global generators: seeds of (batch, process) make a resumed run exact.
        rng.seed_defaults(self.device, "local", self.seed, draws.batch_index, self.global_rank)
        output = StepOutput(terms={}, logits={})
        for players in self.phases(draws.batch_index, self.n_critic):
            update = self.update(players, real, draws)
            output = StepOutput(terms=output["terms"] | update["terms"], logits=output["logits"] | update["logits"])
        self.on_step_end(output)
        # For reports alone: G is not updated in every batch, and its last terms are shown until it is.
        self.last_output = StepOutput(
            terms=self.last_output["terms"] | output["terms"], logits=self.last_output["logits"] | output["logits"]
        )
        if self.global_step % self.trainer.log_every_n_steps == 0 or is_last_batch(self.trainer):  # type: ignore[attr-defined]
            self.log_now(self.metrics(self.last_output))
        for scheduler in self._schedulers:
            scheduler.step()
        return output

    def update(self, players: Phase, real: Batch, draws: Draws) -> StepOutput:
        """Updates the players of a phase from the same weights; the other players are frozen."""
        for player, parameters in self._parameters_of.items():
            for parameter in parameters:
                parameter.requires_grad_(player in players)
        for player in players:
            self._optimizer_of[player].zero_grad()
        if self.micro_batches == 1:
            output = self._backward(players, real, draws)
        else:
            output = self._backward_in_micro_batches(players, real, draws)
        if self.trainer.world_size > 1:
            gradients = [p.grad for player in players for p in self._parameters_of[player] if p.grad is not None]
            # The terms, too, so that all processes stop at the same batch if one is not finite.
            terms = [term for terms in output["terms"].values() for term in terms.values()]
            all_reduce_mean_([*gradients, *terms, *self._statistics])
        for player in players:
            _require_finite(player, output["terms"][player], draws.batch_index)
        for player in players:
            self._step(player)
            self.after_step(player)
        return output

    def _step(self, player: Player) -> None:
        optimizer = self._optimizer_of[player]
        if player == "discriminator":
            optimizer.step()
        else:  # the same step, without the hooks that increase global_step, which counts batches
            self.trainer.strategy.optimizer_step(optimizer.optimizer, lambda: None, self)

    def _backward(self, players: Phase, real: Batch, draws: Draws) -> StepOutput:
        """Adds the gradients of the players' losses to their parameters."""
        output = self.losses(players, real, draws)
        for player in players:
            # Autocast would round the gradient of a float32 penalty.
            with torch.autocast(self.device.type, enabled=False):
                self.manual_backward(
                    total(output["terms"][player]),
                    inputs=self._parameters_of[player],
                    retain_graph=player != players[-1],
                )
        terms = {p: {name: term.detach() for name, term in terms.items()} for p, terms in output["terms"].items()}
        return StepOutput(terms=terms, logits={kind: logits.detach() for kind, logits in output["logits"].items()})

    def _backward_in_micro_batches(self, players: Phase, real: Batch, draws: Draws) -> StepOutput:
        """Does the same in micro-batches; returns the means of their terms, and all their logits."""
        count = self.micro_batches
        if len(real.samples) % count:
            raise UserError(f"model.accumulate={count}: expected a divisor of a process's {len(real.samples)} samples")
        done = [
            self._backward(players, part, draws.micro_batch(index, count))
            for index, part in enumerate(real.chunk(count))
        ]
        for gradient in (p.grad for player in players for p in self._parameters_of[player] if p.grad is not None):
            gradient /= count
        terms = {
            player: {name: torch.stack([part["terms"][player][name] for part in done]).mean() for name in names}
            for player, names in done[0]["terms"].items()
        }
        return StepOutput(
            terms=terms, logits={kind: torch.cat([part["logits"][kind] for part in done]) for kind in done[0]["logits"]}
        )

    def metrics(self, output: StepOutput) -> dict[str, float | Tensor]:
        """Returns the losses of a batch, their terms, scores, learning rates, and the epoch.

        Losses and scores are means over all processes. A score is the mean of sigmoid(logit).
        """
        scores = {f"score/{kind}": logits.sigmoid().mean() for kind, logits in output["logits"].items()}
        if self.trainer.world_size > 1 and scores:
            all_reduce_mean_(list(scores.values()))
        found: dict[str, float | Tensor] = dict(scores)
        for player, terms in output["terms"].items():
            found[f"loss/{player}"] = total(terms)
            found |= {f"terms/{player}_{name}": term for name, term in terms.items()}
            found[f"lr/{player}"] = self._optimizer_of[player].param_groups[0]["lr"]
        return found | {"epoch": float(self.current_epoch)}

    def log_now(self, found: Mapping[str, float | Tensor]) -> None:
        """Writes values at the current batch to the loggers' files, and shows them to the callbacks.

        Lightning's own logging would write them only after the callbacks have saved a checkpoint of this batch: a run
        that is killed in between would lack them. It would also drop them where log_every_n_steps does not divide the
        batch, count from 0, and take as long as a small update.
        """
        values = {name: float(value) for name, value in found.items()}
        for logger in self.trainer.loggers:
            logger.log_metrics(values, step=self.global_step)
            logger.save()
        self.trainer.callback_metrics.update({name: torch.tensor(value) for name, value in values.items()})

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
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        if scaler is not None and optimizer.defaults.get("fused"):
            scaler.unscale_(optimizer)  # a fused optimizer unscales inside step(): too late for clipping
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(parameters, self.gradient_clip_norm)

    def setup(self, stage: str) -> None:
        if self.conditional and self.vocabulary is None:
            self.vocabulary = getattr(self.trainer.datamodule, "vocabulary", None)  # type: ignore[attr-defined]
            if self.vocabulary is None or len(self.vocabulary.examples) == 0:
                raise UserError("model.conditional=true: the data has no labels. Choose another data=, or false")
        joint_phases = [
            phase for index in range(self.n_critic) for phase in self.phases(index, self.n_critic) if phase[1:]
        ]
        if (
            joint_phases and self.trainer.precision == "16-mixed"
        ):  # its gradient scale would change between the two steps
            raise UserError("trainer.precision=16-mixed: players that step together need bf16-mixed or 32-true")

    def on_train_start(self) -> None:
        networks = self.networks()
        self._parameters_of = {
            player: [p for p in network.parameters() if p.requires_grad] for player, network in networks.items()
        }
        self._statistics = [b for net in networks.values() for b in net.buffers() if b.is_floating_point()]
        self._optimizer_of = dict(zip(networks, self.optimizers(), strict=True))  # type: ignore[arg-type]
        for optimizer in self.trainer.optimizers if self.scheduler else []:
            # Changes nothing without gradients. Otherwise torch warns of a schedule that steps before its optimizer.
            optimizer.zero_grad()
            optimizer.step()
        schedulers = self.lr_schedulers() or []
        self._schedulers: list[Any] = schedulers if isinstance(schedulers, list) else [schedulers]

    def on_train_end(self) -> None:
        for parameters in self._parameters_of.values():
            for parameter in parameters:
                parameter.requires_grad_(True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self.vocabulary:
            checkpoint["vocabulary"] = self.vocabulary.state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if "optimizer_states" in checkpoint:
            require_optimizer_states(checkpoint["optimizer_states"], self.configure_optimizers()[0])
        saved = checkpoint.get("vocabulary", {}).get("names")
        if self.vocabulary and saved != list(self.vocabulary.names):
            own = list(self.vocabulary.names)
            raise UserError(f"data.root: its labels are {own}; expected those of the checkpoint, {saved}")


def _require_finite(player: Player, terms: Terms, batch_index: int) -> None:
    if not math.isfinite(total(terms).item()):
        values = ", ".join(f"{name}={term.item():g}" for name, term in terms.items())
        raise FloatingPointError(
            f"the {player}'s loss is not finite at batch {batch_index + 1}: {values}. Its optimizer has not "
            "moved. A smaller model.optimizer.lr or a model.gradient_clip_norm may help: branch_from=<checkpoint> "
            "starts a new run there with them"
        )
