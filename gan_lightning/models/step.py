"""The training step that all GANs share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gan_lightning import rng
from gan_lightning.cadence import global_batch_size, is_last_batch
from gan_lightning.distributed.collectives import all_reduce_mean_
from gan_lightning.errors import UserError
from gan_lightning.losses import BatchOutput, Player, StepOutput
from gan_lightning.losses.terms import detached, total
from gan_lightning.models.batch import Batch
from gan_lightning.models.compiled import CompiledGradients
from gan_lightning.models.draws import Draws
from gan_lightning.models.finite import FiniteGuard, finite_guard
from gan_lightning.models.micro_batches import in_micro_batches
from gan_lightning.models.phases import Phase, Phases, alternating
from gan_lightning.models.scheduled import ScheduledNumbers, set_options
from gan_lightning.models.two_players import TwoPlayers


class GANStep(TwoPlayers):
    """A LightningModule that trains every batch in phases; a phase updates some players and freezes the others.

    A subclass defines the objectives in `losses`; `phases` defines which players are updated, and when. `global_step`
    counts batches, not optimizer steps.

    Args:
        generator: A network that maps latents (batch, latent_dim) and a condition to samples in [-1, 1]. It has the
            attribute `latent_dim`.
        discriminator: A network that maps samples and a condition to logits (batch,), without a sigmoid.
        phases: The order of the updates: `alternating` or `simultaneous`.
        n_critic: The number of discriminator updates per generator update.
        accumulate: The number of micro-batches in which a batch is processed, for less memory. The update is that of
            the whole batch, unless a layer or a loss depends on all of its samples, or is random (dropout,
            augmentation).
        compile: Whether torch compiles the losses with their gradients, which needs a C++ compiler on the CPU and a
            minute at the start of a run. Only the speed and the rounding differ.
        conditional: Whether both networks get the labels of a sample; they get None otherwise.
        players: Further arguments, of `TwoPlayers`.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        phases: Phases = alternating,
        n_critic: int = 1,
        accumulate: int = 1,
        compile: bool = False,
        conditional: bool = False,
        **players: Any,
    ) -> None:
        super().__init__(generator, discriminator, **players)
        self.automatic_optimization = False
        self.phases = phases
        self.n_critic = n_critic
        self.micro_batches = accumulate
        self.compiles = compile
        self.conditional = conditional
        self.last_output = BatchOutput(terms={}, logits={}, scheduled={})
        """The last terms of each player and the last logits, for reports."""
        self._guard = FiniteGuard()
        self._compiled: CompiledGradients | None = None

    def losses(self, players: Phase, real: Batch, draws: Draws, fake: Batch | None = None) -> StepOutput:
        """Returns the objectives of a phase's players on a batch, with their graph.

        Args:
            players: The players that are updated.
            real: The samples of the data.
            draws: The random numbers.
            fake: Generated samples with G's graph, for all phases of a batch; None: this phase generates its own.
        """
        raise NotImplementedError

    def shared_fake(self, phases: Sequence[Phase], real: Batch, draws: Draws) -> Batch | None:
        """Returns generated samples, with G's graph, for all phases of a batch; None: each generates its own."""
        return None

    def after_step(self, player: Player) -> None:
        """Changes a player's weights right after its update, such as by weight clipping; here it does nothing."""

    def on_step_begin(self, scheduled: Mapping[str, float]) -> None:
        """Gives scheduled numbers to the parts that have them in their state; here it does nothing."""

    def on_step_end(self, output: StepOutput) -> None:
        """Updates the state of the parts after a batch. An override calls `super().on_step_end(output)`."""

    def training_step(self, batch: Sequence[Any], batch_idx: int) -> BatchOutput:
        """Trains on a batch (samples, labels); labels are class indices, multi-hot rows or None.

        A batch may have a second part, (samples, labels, samples, labels): real samples for the phase of G alone.
        """
        real = self._real_batch(*batch[:2])
        generator_real = self._real_batch(*batch[2:]) if len(batch) > 2 else real
        scheduled = self._scheduled.at(self.global_step, global_batch_size(self.trainer, real.samples))
        set_options(self._optimizer_of, scheduled)
        self.on_step_begin(scheduled)
        draws = Draws(self.seed, self.global_step, self.device, self.global_rank, self.trainer.world_size, scheduled)
        # Dropout and augmentation use the global generators: seeds of (batch, process) make a resumed run exact.
        rng.seed_defaults(self.device, "local", self.seed, draws.batch_index, self.global_rank)
        output = BatchOutput(terms={}, logits={}, scheduled=scheduled)
        phases = self.phases(draws.batch_index, self.n_critic)
        fake = self.shared_fake(phases, real, draws)
        for players in phases:
            update = self.update(players, generator_real if players == ("generator",) else real, draws, fake)
            output["terms"] |= update["terms"]
            output["logits"] |= update["logits"]
        self.on_step_end(output)
        # For reports alone: G is not updated in every batch, and its last terms are shown until it is.
        self.last_output = BatchOutput(
            terms=self.last_output["terms"] | output["terms"],
            logits=self.last_output["logits"] | output["logits"],
            scheduled=scheduled,
        )
        if self.global_step % self.trainer.log_every_n_steps == 0 or is_last_batch(self.trainer):  # type: ignore[attr-defined]
            self.require_finite_losses()
            self.log_now(self.metrics(self.last_output))
        for scheduler in self._schedulers:
            scheduler.step()
        return output

    def _real_batch(self, samples: Tensor, labels: Tensor | None) -> Batch:
        condition = self.vocabulary.encode(labels).to(self.dtype) if self.vocabulary else None  # type: ignore[arg-type]
        return Batch(samples.to(self.dtype), condition)

    def update(self, players: Phase, real: Batch, draws: Draws, fake: Batch | None = None) -> StepOutput:
        """Updates the players of a phase from the same weights; the other players are frozen."""
        for player, parameters in self._parameters_of.items():
            if parameters[0].requires_grad != (player in players):  # all of a player's are switched together
                for parameter in parameters:
                    parameter.requires_grad_(player in players)
        for player in players:
            self._optimizer_of[player].zero_grad()
        if self.micro_batches == 1:
            output = self._add_gradients(players, real, draws, fake)
        else:
            parameters = [parameter for player in players for parameter in self._parameters_of[player]]
            output = in_micro_batches(self._add_gradients, self.micro_batches, parameters, players, real, draws)
        if self.trainer.world_size > 1:
            gradients = [p.grad for player in players for p in self._parameters_of[player] if p.grad is not None]
            # The terms, too, so that all processes stop at the same batch if one is not finite.
            terms = [term for terms in output["terms"].values() for term in terms.values()]
            pending = fake is not None and "generator" not in players  # G's graph holds its statistics until its phase
            all_reduce_mean_([*gradients, *terms, *([] if pending else self._statistics)])
        self._guard.check(draws.batch_index, output["terms"])
        for player in players:
            self._step(player)
            self.after_step(player)
        return output

    def require_finite_losses(self) -> None:
        """Stops training if a loss was not finite; call it before anything of the model is shown or saved.

        On the CPU each update has stopped at once. On a GPU, updates do not wait to know, and change no weights from
        that loss on.

        Raises:
            FloatingPointError: The loss of an earlier update was not finite.
        """
        self._guard.require_finite()

    def generate(
        self, z: Float[Tensor, "num latent"], condition: Tensor | None = None, raw: bool = False, styles: bool = False
    ) -> Iterator[Float[Tensor, "block *sample"]]:
        self.require_finite_losses()
        return super().generate(z, condition, raw, styles)

    def _step(self, player: Player) -> None:
        optimizer = self._optimizer_of[player]
        if player == "discriminator":
            optimizer.step()
        else:  # the same step, without the hooks that increase global_step, which counts batches
            self.trainer.strategy.optimizer_step(optimizer.optimizer, lambda: None, self)

    def _add_gradients(self, players: Phase, real: Batch, draws: Draws, fake: Batch | None = None) -> StepOutput:
        """Adds the gradients of the players' losses to their parameters."""
        if self._compiled is not None:
            return self._compiled(players, real, draws)
        output = self.losses(players, real, draws, fake)
        for player in players:
            # Autocast would round the gradient of a float32 penalty.
            with torch.autocast(self.device.type, enabled=False):
                self.manual_backward(
                    total(output["terms"][player]),
                    inputs=self._parameters_of[player],
                    retain_graph=player != players[-1],
                )
        return detached(output)

    def metrics(self, output: BatchOutput) -> dict[str, float | Tensor]:
        """Returns the losses of a batch, their terms, scores, learning rates, scheduled numbers, and the epoch.

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
        found |= {f"schedule/{name}": value for name, value in output["scheduled"].items()}
        return found | {"time/epoch": float(self.current_epoch)}

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

    def setup(self, stage: str) -> None:
        if self.conditional and self.vocabulary is None:
            self.vocabulary = getattr(self.trainer.datamodule, "vocabulary", None)  # type: ignore[attr-defined]
            if self.vocabulary is None or len(self.vocabulary.examples) == 0:
                raise UserError("model.conditional=true: the data has no labels. Choose another data=, or false")
        if self.trainer.precision == "16-mixed":
            phases = [phase for index in range(self.n_critic) for phase in self.phases(index, self.n_critic)]
            if any(len(players) > 1 for players in phases):  # the gradients' scale would change between the two steps
                raise UserError("trainer.precision=16-mixed: players that step together need bf16-mixed or 32-true")
            if self.compiles:
                raise UserError(
                    "trainer.precision=16-mixed: scales losses, which model.compile=true does not; use "
                    "bf16-mixed or 32-true"
                )

    def on_train_start(self) -> None:
        networks = self.networks()
        self._parameters_of = {
            player: [p for p in network.parameters() if p.requires_grad] for player, network in networks.items()
        }
        self._statistics = [b for net in networks.values() for b in net.buffers() if b.is_floating_point()]
        self._optimizer_of = dict(zip(networks, self.optimizers(), strict=True))  # type: ignore[arg-type]
        self._scheduled = ScheduledNumbers(self.schedules, self.schedulable(), self.trainer)
        for optimizer in self.trainer.optimizers if self.scheduler else []:
            # Changes nothing without gradients. Otherwise torch warns of a schedule that steps before its optimizer.
            optimizer.zero_grad()
            optimizer.step()
        self._guard = finite_guard(self.trainer.optimizers, self.device, self._grad_scaler() is not None)
        self._compiled = CompiledGradients(self, self._parameters_of) if self.compiles else None
        if self.vocabulary:
            self.vocabulary = self.vocabulary.to(self.device)  # conditions are sampled from it in every batch
        schedulers = self.lr_schedulers() or []
        self._schedulers: list[Any] = schedulers if isinstance(schedulers, list) else [schedulers]

    def on_train_end(self) -> None:
        for parameters in self._parameters_of.values():
            for parameter in parameters:
                parameter.requires_grad_(True)
        self._compiled = None
        self.require_finite_losses()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.require_finite_losses()
        if self.vocabulary:
            checkpoint["vocabulary"] = self.vocabulary.state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        saved = checkpoint.get("vocabulary", {}).get("names")
        if self.vocabulary and saved != list(self.vocabulary.names):
            own = list(self.vocabulary.names)
            raise UserError(f"data.root: its labels are {own}; expected those of the checkpoint, {saved}")
