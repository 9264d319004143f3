"""The non-saturating GAN, whose losses the variants override."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gan_lightning.losses import adversarial
from gan_lightning.losses.adversarial import Terms
from gan_lightning.losses.augmentation import AdaptiveAugment, DiffAugment
from gan_lightning.models.step import AlternatingStep


class GAN(AlternatingStep):
    """Non-saturating GAN: Goodfellow et al. 2014 (arXiv:1406.2661), eq. 1 and section 3.

        D minimizes  -E_x log D(x) - E_z log(1 - D(G(z)))  + penalties
        G minimizes  -E_z log D(G(z))

    A variant overrides the losses: `discriminator_loss` and `generator_loss` where logits suffice,
    `discriminator_terms` and `generator_terms` where they do not; `prior` where latents differ, `turns` where the
    order does, `constrain` where weights are held. Further arguments as of `AlternatingStep`.

    Args:
        penalties: by name, functions as in `gan_lightning.losses.penalties`, added to D's loss.
        penalty_every: batches between two uses of the penalties, which then count as many times: lazy
            regularization, Karras et al. 2020 (arXiv:1912.04958), appendix B.
        regularizers: by name, modules as in `gan_lightning.losses.regularizers`, added to D's loss.
        augment: what D sees of real and of generated samples, in both players' losses, as in
            `gan_lightning.losses.augmentation`; None: the samples themselves. A penalty looks at D through it and takes the
            gradient at the samples as they were, as the authors of DiffAugment and of ADA do with R1.
    """

    logits_have_a_sign = True
    """Whether D takes a sample for real where its logit is above 0."""

    def __init__(
        self,
        *arguments: Any,
        penalties: Mapping[str, Callable[..., Tensor]] | None = None,
        penalty_every: int = 1,
        regularizers: Mapping[str, nn.Module] | None = None,
        augment: DiffAugment | None = None,
        **more: Any,
    ) -> None:
        super().__init__(*arguments, **more)
        self.penalties = dict(penalties or {})
        self.penalty_every = penalty_every
        self.regularizers = nn.ModuleDict(regularizers or {})
        self.augment = augment
        if isinstance(augment, AdaptiveAugment) and not self.logits_have_a_sign:
            raise ValueError(
                f"model.augment: AdaptiveAugment goes by the sign of D's logits, which says nothing in "
                f"{type(self).__name__}; choose augment=diffaugment"
            )

    def discriminator_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Terms:
        """D's loss as named scalar terms."""
        return adversarial.nonsaturating_discriminator(real_logits, fake_logits)

    def generator_loss(self, fake_logits: Tensor) -> Terms:
        """G's loss as named scalar terms."""
        return adversarial.nonsaturating_generator(fake_logits)

    def discriminator_terms(self, real: Tensor, condition: Tensor | None) -> Terms:
        with torch.no_grad():
            fake = self.generator(self.latent(len(real), "discriminator"), condition)
        return self.judge(real, fake, condition)

    def generator_terms(self, real: Tensor, condition: Tensor | None) -> Terms:
        fake = self.generator(self.latent(len(real), "generator"), condition)
        return self.generator_loss(self.discriminate(fake, condition))

    def discriminate(self, samples: Tensor, condition: Tensor | None) -> Tensor:
        """D's logits in training, in float32 at least: losses sum and compare them."""
        return widened(self.discriminator(self.seen(samples), condition))

    def seen(self, samples: Tensor) -> Tensor:
        """What D sees of samples in training."""
        return samples if self.augment is None else self.augment(samples)

    def judge(self, real: Tensor, fake: Tensor, condition: Tensor | None) -> Terms:
        """D's loss and its extras on a real and a fake batch under one condition."""
        verdict = self.verdict(self.discriminate(real, condition), self.discriminate(fake, condition))
        return verdict | self.penalized(real, fake, condition)

    def verdict(self, real_logits: Tensor, fake_logits: Tensor) -> Terms:
        """D's loss and what the regularizers add to it; keeps the logits for the scores."""
        self.logits = {"real": real_logits, "fake": fake_logits}
        regularizers = {name: module(real_logits, fake_logits) for name, module in self.regularizers.items()}
        return self.discriminator_loss(real_logits, fake_logits) | regularizers

    def penalized(self, real: Tensor, fake: Tensor, condition: Tensor | None) -> Terms:
        """What the penalties add to D's loss, where this batch is one of theirs."""
        if (self.batch_index + 1) % self.penalty_every:
            return {}
        discriminate = partial(self.discriminate, condition=condition)
        return {
            name: self.penalty_every * penalty(discriminate, real, fake, partial(self.rows, len(real), name))
            for name, penalty in self.penalties.items()
        }

    def rows(self, count: int, purpose: str, draw: Callable[..., Tensor], *shape: int) -> Tensor:
        """(count, *shape) of `draw` (torch.rand or torch.randn): a row a sample, as `share` gives them."""

        def whole(total: int, generator: torch.Generator) -> Tensor:
            return draw(total, *shape, generator=generator, device=generator.device)

        return self.share(whole, count, "rows", purpose)

    def observe(self) -> None:
        parts: list[Any] = [part for part in (self.augment, *self.regularizers.values()) if part is not None]
        for part in parts:
            part.observe(self.logits)

    def report(self) -> dict[str, float | Tensor]:
        shown = {} if self.augment is None else {"augment/share": self.augment.share}
        return super().report() | shown


def widened(logits: Tensor) -> Tensor:
    """Logits of 16 bits in float32; others as they are."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
