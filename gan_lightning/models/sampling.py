"""What a GAN draws: latents in training, samples at any time."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from functools import partial

import torch
from jaxtyping import Float
from lightning import LightningModule
from torch import Tensor, nn

from gan_lightning import rng
from gan_lightning.labels import LabelVocabulary

Draw = Callable[[int, torch.Generator], Tensor]
"""Makes so many rows of a generator's draws."""


class Drawing(LightningModule):
    """The generator's side of a GAN: where latents come from and how samples are drawn.

    Args:
        generator: maps latents (batch, latent_dim) and a condition to samples in [-1, 1]; knows its `latent_dim`.
        seed: keys every draw of training together with the step.
    """

    BLOCK = 64
    """Samples that are drawn at a time."""

    def __init__(self, generator: nn.Module, seed: int) -> None:
        super().__init__()
        self.generator = generator
        self.latent_dim: int = generator.latent_dim  # type: ignore[assignment]
        self.generator_ema: nn.Module | None = None
        """The averaged generator, where a callback keeps one."""
        self.conditions: LabelVocabulary | None = None
        """The vocabulary of a conditional model, from the data or a checkpoint."""
        self.seed = seed
        self.batch_index = 0
        """The batch that is being trained on, counted from 0."""
        self.part, self.parts = 0, 1
        """The micro-batch of it that is being worked on, counted from 0, and how many there are."""

    def prior(self, count: int, generator: torch.Generator) -> Float[Tensor, "count latent"]:
        """`count` latents of one batch, from `generator`'s draws: here standard normal."""
        return torch.randn(count, self.latent_dim, generator=generator, device=generator.device)

    def latent(self, count: int, *purpose: str) -> Float[Tensor, "count latent"]:
        """This process's latents of the current batch, or micro-batch; every purpose has its own draw."""
        return self.share(self.prior, count, "latent", *purpose)

    def share(self, draw: Draw, count: int, *purpose: str) -> Tensor:
        """This micro-batch's `count` rows of what `draw` gives for the whole batch of all processes.

        Keyed by purpose, seed and batch, so that neither resuming nor the number of processes or of micro-batches
        changes it.
        """
        generator = rng.generator(*purpose, self.seed, self.batch_index, device=self.device)
        whole = draw(count * self.parts * self.trainer.world_size, generator)
        return whole[(self.global_rank * self.parts + self.part) * count :][:count]

    def track_ema(self) -> None:
        """Adds `generator_ema`, a copy of the generator for a callback to average into."""
        self.generator_ema = copy.deepcopy(self.generator).requires_grad_(False)

    def samples(
        self, count: int, seed: int, raw: bool = False, asked: Tensor | None = None
    ) -> Iterator[Float[Tensor, "block *sample"]]:
        """`count` samples in [-1, 1], in blocks; sample i depends on `seed`, i and what is `asked` alone.

        The conditions are those of training samples that hold the labels that are `asked` (names); None: any.
        """
        return self.decode(self.sample_latents(count, seed), self.sample_conditions(count, seed, asked), raw)

    def sample_latents(self, count: int, seed: int) -> Float[Tensor, "count latent"]:
        """Latents of samples 0 to count - 1 of `seed`, on the CPU: the first ones of any larger count."""
        return self._in_blocks(self.prior, count, "samples", seed)

    def sample_conditions(self, count: int, seed: int, asked: Tensor | None = None) -> Tensor | None:
        """The conditions of `samples`; None where the model is not conditional."""
        if self.conditions is None:
            return None
        return self._in_blocks(partial(self.conditions.draw, asked=asked), count, "conditions", seed)

    def _in_blocks(self, draw: Draw, count: int, *key: int | str) -> Tensor:
        blocks = range(math.ceil(count / self.BLOCK))
        return torch.cat([draw(self.BLOCK, rng.generator(*key, block)) for block in blocks])[:count]

    def decode(
        self, latents: Float[Tensor, "count latent"], condition: Tensor | None = None, raw: bool = False
    ) -> Iterator[Float[Tensor, "block *sample"]]:
        """Samples of these latents, in blocks, in eval mode; from the averaged generator unless `raw`."""
        generator = self.generator if raw or self.generator_ema is None else self.generator_ema
        was_training = generator.training
        generator.eval()
        try:
            for first in range(0, len(latents), self.BLOCK):
                block = slice(first, first + self.BLOCK)
                told = None if condition is None else condition[block].to(self.device)
                with torch.no_grad():
                    samples = generator(latents[block].to(self.device), told)
                yield samples
        finally:
            generator.train(was_training)
