"""The losses of a phase with their gradients, compiled by torch to one function of tensors."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from lightning import Callback, LightningModule
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch import Tensor, nn

from gan_lightning._compat.torch import compiled, forget_parametrizations
from gan_lightning.errors import UserError
from gan_lightning.losses import Player, StepOutput
from gan_lightning.losses.terms import detached, total
from gan_lightning.models.batch import Batch
from gan_lightning.models.draws import Draws, Sampler
from gan_lightning.models.phases import Phase

if TYPE_CHECKING:
    from gan_lightning.models.step import GANStep

log = logging.getLogger(__name__)

Due = dict[int, bool]
Key = tuple[Phase, tuple[tuple[int, bool], ...]]


@dataclass(frozen=True)
class _Recorder(Draws):
    """The random numbers of a batch; it notes which a loss asks for."""

    samplers: dict[tuple[str, ...], tuple[Sampler, int]] = field(default_factory=dict)
    due: Due = field(default_factory=dict)

    def is_due(self, every: int) -> bool:
        self.due[every] = super().is_due(every)
        return self.due[every]

    def local_shard(self, sampler: Sampler, count: int, *purpose: str) -> Tensor:
        self.samplers[purpose] = sampler, count
        return super().local_shard(sampler, count, *purpose)


class _Drawn(Draws):
    """The random numbers of a batch, all drawn. It has no batch index, since a compiled loss is that of many batches.

    Args:
        due: What is due in this batch.
        tensors: The random numbers by purpose.
        scheduled: The scheduled numbers by name, as scalars: a number would be a constant of the graph.
    """

    due: Due
    tensors: Mapping[tuple[str, ...], Tensor]

    def __init__(self, due: Due, tensors: Mapping[tuple[str, ...], Tensor], scheduled: Mapping[str, Tensor]) -> None:
        vars(self).update(due=due, tensors=tensors, scheduled=scheduled)

    def is_due(self, every: int) -> bool:
        return self.due[every]

    def local_shard(self, sampler: Sampler, count: int, *purpose: str) -> Tensor:
        return self.tensors[purpose]


class CompiledGradients:
    """Adds the gradients of a phase's losses to the parameters of its players; forward and backward are one graph.

    A loss samples its random numbers from generators with keys, which torch does not compile. So the first batch of
    each kind runs twice: once to see which numbers the loss asks for, with no effect, and then with these as inputs.

    Args:
        model: The model with the losses.
        parameters: The parameters of each player.

    Raises:
        UserError: The model or a callback has a hook of the backward pass.
    """

    def __init__(self, model: GANStep, parameters: Mapping[Player, Sequence[nn.Parameter]]) -> None:
        _require_no_backward_hooks(model)
        self._model = model
        self._parameters = parameters
        self._every: set[int] = set()
        self._recorded: dict[Key, _Recorder] = {}
        torch.compiler.reset()  # the number of graphs is limited, and earlier runs of this process have theirs
        self._gradients = compiled(self._losses_and_gradients, "model.compile=true")

    def __call__(self, players: Phase, real: Batch, draws: Draws) -> StepOutput:
        started = time.perf_counter()
        if not self._recorded:
            log.info("Compiling the losses (model.compile=true); this takes a minute or so")
        key = self._key(players, draws)
        if is_new := key not in self._recorded:
            recorder = self._record(players, real, draws)
            self._every |= recorder.due.keys()
            key = self._key(players, draws)
            self._recorded[key] = recorder
        recorder = self._recorded[key]
        tensors = {
            purpose: draws.local_shard(sampler, count, *purpose)
            for purpose, (sampler, count) in recorder.samplers.items()
        }
        scheduled = {
            name: torch.full((), value, device=draws.device).to(self._model.dtype)
            for name, value in draws.scheduled.items()
        }
        output, gradients = self._gradients(players, real, _Drawn(recorder.due, tensors, scheduled))
        if is_new:
            log.info("Compiled the losses of %s in %.0f s", " and ".join(players), time.perf_counter() - started)
        for player in players:
            for parameter, gradient in zip(self._parameters[player], gradients[player], strict=True):
                parameter.grad = gradient if parameter.grad is None or gradient is None else parameter.grad + gradient
        return output

    def _key(self, players: Phase, draws: Draws) -> Key:
        return players, tuple((every, draws.is_due(every)) for every in sorted(self._every))

    def _record(self, players: Phase, real: Batch, draws: Draws) -> _Recorder:
        """Returns what the losses ask of `draws`; buffers and random generators are afterwards as before."""
        recorder = _Recorder(**vars(draws))
        before = [(buffer, buffer.clone()) for buffer in self._model.buffers()]
        device = self._model.device
        with torch.random.fork_rng([] if device.type == "cpu" else [device], device_type=device.type):
            self._model.losses(players, real, recorder)
        for buffer, value in before:
            buffer.copy_(value)
        return recorder

    def _losses_and_gradients(
        self, players: Phase, real: Batch, draws: Draws
    ) -> tuple[StepOutput, dict[Player, tuple[Tensor | None, ...]]]:
        forget_parametrizations()
        output = self._model.losses(players, real, draws)
        with torch.autocast(self._model.device.type, enabled=False):
            gradients: dict[Player, tuple[Tensor | None, ...]] = {
                player: torch.autograd.grad(
                    total(output["terms"][player]),
                    list(self._parameters[player]),
                    retain_graph=player != players[-1],
                    allow_unused=True,
                )
                for player in players
            }
        return detached(output), gradients


def _require_no_backward_hooks(model: GANStep) -> None:
    for part in (model, *model.trainer.callbacks):  # type: ignore[attr-defined]
        for hook in ("on_before_backward", "on_after_backward"):
            if is_overridden(hook, part, LightningModule if part is model else Callback):
                raise UserError(
                    f"model.compile=true: {type(part).__name__} has the hook {hook}, and a compiled loss has its "
                    "backward pass inside; use on_before_optimizer_step, or set it to false"
                )
