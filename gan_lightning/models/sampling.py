"""Sampling from a generator: latents of a training step, and samples at any time."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from lightning import LightningModule
from torch import Tensor, nn

from gan_lightning import rng
from gan_lightning.errors import UserError
from gan_lightning.labels import LabelVocabulary
from gan_lightning.models.draws import Draws, Sampler
from gan_lightning.models.latents import STANDARD_NORMAL, truncated_prior
from gan_lightning.models.standing import batch_norms, with_standing_statistics


class LatentModel(LightningModule):
    """A generator, its latents and its labels.

    Args:
        generator: A network that maps latents (batch, latent_dim) and a condition to samples in [-1, 1]. It has the
            attribute `latent_dim`.
        seed: The seed of all random numbers in training.
        standing_statistics: The number of batches of `BLOCK` latents by which the generator's batch norm is measured
            before it generates: `gan_lightning.models.standing`. 0: it has the statistics of training.

    Raises:
        ValueError: There are standing statistics, and the generator has no batch norm.
    """

    BLOCK = 64
    """The number of samples that are generated at a time."""

    def __init__(self, generator: nn.Module, seed: int, standing_statistics: int = 0) -> None:
        super().__init__()
        if standing_statistics and not batch_norms(generator):
            raise ValueError(
                f"model.standing_statistics={standing_statistics}: {type(generator).__name__} has no batch norm; set "
                "it to 0, or choose a network with batch norm"
            )
        self.generator = generator
        self.standing_statistics = standing_statistics
        self.latent_dim: int = generator.latent_dim  # type: ignore[assignment]
        self.generator_ema: nn.Module | None = None
        """The averaged generator (EMA); None unless a callback keeps one."""
        self.vocabulary: LabelVocabulary | None = None
        """The labels of a conditional model, from the data or from a checkpoint."""
        self.seed = seed

    @property
    def prior(self) -> str:
        """What `sample_prior` samples from, in words; a class that overrides one overrides both."""
        return STANDARD_NORMAL

    def sample_prior(self, count: int, generator: torch.Generator) -> Float[Tensor, "count latent"]:
        """Samples latents from the prior, here a standard normal distribution."""
        return torch.randn(count, self.latent_dim, generator=generator, device=generator.device)

    def sample_z(self, count: int, draws: Draws, *purpose: str) -> Float[Tensor, "count latent"]:
        """Samples this process's latents of a training step, in the model's dtype, for one purpose."""
        return draws.local_shard(self.sample_prior, count, "latent", *purpose).to(self.dtype)

    def sample_conditions(self, count: int, draws: Draws, *purpose: str) -> Tensor:
        """Samples this process's condition vectors of a training step with their frequencies in the data."""
        assert self.vocabulary is not None
        return draws.local_shard(self.vocabulary.sample, count, "conditions", *purpose).to(self.dtype)

    def sample(
        self, num: int, label: int | str | None = None, seed: int = 0, raw: bool = False
    ) -> Float[Tensor, "num *sample"]:
        """Generates samples in eval mode.

        Args:
            num: The number of samples.
            label: A class, as its index or name, or tags such as "blue hair, yellow eyes"; None: sampled with
                their frequencies in the data.
            seed: The seed. Sample i depends on the seed, i and the label alone.
            raw: Whether to use the last weights instead of their average (EMA).

        Returns:
            Samples in [-1, 1], (num, *shape of a sample), on the model's device.

        Raises:
            UserError: The model is not conditional, or has no such label.
            FloatingPointError: A sample is not finite.
        """
        return torch.cat(list(self.sample_blocks(num, seed, raw, self.parse_label(label))))

    def parse_label(self, label: int | str | None) -> Tensor | None:
        """Turns a label's index or name, or a list of tags, into a condition vector.

        Raises:
            UserError: The model is not conditional, or has no such label.
        """
        if label is None:
            return None
        if self.vocabulary is None:
            raise UserError(f"label {label}: this model was trained without labels (model.conditional=false)")
        names = self.vocabulary.names
        if isinstance(label, int):
            if not 0 <= label < len(names):
                raise UserError(f"label {label}: no such label; expected an index from 0 to {len(names) - 1}")
            label = names[label]
        return self.vocabulary.parse(label)

    def sample_blocks(
        self, num: int, seed: int, raw: bool = False, required: Tensor | None = None
    ) -> Iterator[Float[Tensor, "block *sample"]]:
        """Generates the same samples as `sample` in blocks; `required` is as of `fixed_conditions`."""
        return self.generate(self.fixed_z(num, seed), self.fixed_conditions(num, seed, required), raw)

    def fixed_z(self, num: int, seed: int, truncation: float | None = None) -> Float[Tensor, "num latent"]:
        """Returns the latents of samples 0 to num - 1 of `seed`, on the CPU.

        Latent i does not depend on `num`. A truncation is as of `gan_lightning.models.latents.truncated_prior`.
        """
        prior = self.sample_prior if truncation is None else partial(truncated_prior, self, truncation)
        return self._in_blocks(prior, num, "samples", seed)

    def fixed_conditions(self, num: int, seed: int, required: Tensor | None = None) -> Tensor | None:
        """Returns condition vectors of samples 0 to num - 1 of `seed`; None where the model is not conditional.

        They are sampled from those of the training data. If `required`, a condition vector, is given, all of them have
        its labels.
        """
        if self.vocabulary is None:
            return None
        return self._in_blocks(partial(self.vocabulary.sample, required=required), num, "conditions", seed)

    def _in_blocks(self, sampler: Sampler, num: int, *key: int | str) -> Tensor:
        blocks = range(math.ceil(num / self.BLOCK))
        return torch.cat([sampler(self.BLOCK, rng.generator(*key, block)) for block in blocks])[:num]

    def generate(
        self, z: Float[Tensor, "num latent"], condition: Tensor | None = None, raw: bool = False, styles: bool = False
    ) -> Iterator[Float[Tensor, "block *sample"]]:
        """Generates the samples of these latents in blocks, in eval mode; by the averaged generator unless `raw`.

        With `styles` they are w, (num, w_dim), of a generator that is style-based: `gan_lightning.models.latents`.

        Raises:
            FloatingPointError: A sample is not finite. As a picture it would be black, and metrics would measure that.
        """
        generator = self.sampled_generator(raw)
        was_training = generator.training
        place: Any = {"device": self.device, "dtype": self.dtype}
        generator.eval()
        try:
            for first in range(0, len(z), self.BLOCK):
                block = slice(first, first + self.BLOCK)
                conditions = None if condition is None else condition[block].to(**place)
                with torch.no_grad():
                    at = z[block].to(**place)
                    samples = generator.synthesize(at) if styles else generator(at, conditions)  # type: ignore[operator]
                _require_finite(samples, self.global_step)
                yield samples
        finally:
            generator.train(was_training)

    def sampled_generator(self, raw: bool = False) -> nn.Module:
        """Returns the network that samples come from: the averaged one unless `raw`, with standing statistics if any.

        Every process, and every session, computes the same statistics from the same weights.
        """
        generator = self.generator if raw or self.generator_ema is None else self.generator_ema
        if not self.standing_statistics:
            return generator
        return with_standing_statistics(generator, self._standing_batches())

    def _standing_batches(self) -> Iterator[tuple[Tensor, Tensor | None]]:
        place: Any = {"device": self.device, "dtype": self.dtype}
        for block in range(self.standing_statistics):
            draw = rng.generator("standing statistics", block)
            z = self.sample_prior(self.BLOCK, draw).to(**place)
            yield z, None if self.vocabulary is None else self.vocabulary.sample(self.BLOCK, draw).to(**place)

    def track_ema(self) -> None:
        """Adds `generator_ema`, a copy of the generator, which a callback updates."""
        self.generator_ema = copy.deepcopy(self.generator).requires_grad_(False)


def _require_finite(samples: Tensor, batch: int) -> None:
    broken = int((~samples.isfinite()).flatten(1).any(1).sum())
    if broken:
        training = f" after batch {batch}" if batch else ""
        raise FloatingPointError(
            f"the generator's samples are not finite{training}: {broken} of {len(samples)} contain NaN or infinity. "
            "Its weights have diverged: use an earlier checkpoint, or train again with a smaller model.optimizer.lr"
        )
