"""The conditional GAN that learns which pairs of image and condition belong together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from gan_lightning.losses import DiscriminatorOutput, Terms
from gan_lightning.models.batch import Batch
from gan_lightning.models.draws import Draws
from gan_lightning.models.gan import GAN
from gan_lightning.models.phases import Phase


class MatchingAwareGAN(GAN):
    """GAN-CLS: Reed et al. 2016 (arXiv:1605.05396), algorithm 1. D's loss has three parts; c~ is a wrong condition:

        D minimizes  -E log D(x, c) - [E log(1 - D(G(z, c), c)) + E log(1 - D(x, c~))] / 2
        G minimizes  -E log D(G(z, c), c)

    With another loss, its terms for real and for fake samples replace these logarithms. For a sample without a label
    (c = 0), D gets the real sample and a fake one with c = 0, and G generates the fake for a sampled condition.

    Args:
        generator: As of `GAN`.
        discriminator: As of `GAN`.
        mismatch: The third part: "real", a real image with a wrong condition, as in the paper; or "fake", an image
            generated for a wrong condition and paired with the right one, G(z, c~) with c.

    Raises:
        ValueError: The model is not conditional, the loss has no separate term of the fake samples, or
            `reuse_fake` or `pack` is set.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        mismatch: Literal["real", "fake"] = "real",
        **gan: Any,
    ) -> None:
        super().__init__(generator, discriminator, **gan)
        self.mismatch = mismatch
        if not self.conditional:
            raise ValueError("model.conditional=false: the matching-aware GAN needs labels; expected true")
        if self.reuse_fake:
            raise ValueError(
                "model.reuse_fake=True: the matching-aware GAN's players get fakes with different conditions for a "
                "sample without a label; set it to false"
            )
        if self.pack > 1:
            raise ValueError(
                f"model.pack={self.pack}: the matching-aware GAN mismatches single samples and labels; set it to 1"
            )
        if not self.loss.separable:
            raise ValueError(
                f"model.loss: {type(self.loss).__name__} has no term of fake samples alone, which the matching-aware "
                "GAN takes the mean of with that of mismatched pairs; choose model/loss=non_saturating, hinge, "
                "least_squares or wasserstein"
            )

    def fake_batch(self, players: Phase, real: Batch, draws: Draws) -> Batch:
        assert real.condition is not None
        labeled = real.condition.any(1, keepdim=True)
        requested = torch.where(labeled, real.condition, self.sample_conditions(len(real.samples), draws, "asked"))
        fake = super().fake_batch(players, replace(real, condition=requested), draws)
        return fake if players == ("generator",) else replace(fake, condition=real.condition)

    def discriminator_terms(
        self, real: Batch, fake: Batch, d_real: DiscriminatorOutput, d_fake: DiscriminatorOutput, draws: Draws
    ) -> Terms:
        assert real.condition is not None
        terms = super().discriminator_terms(real, fake, d_real, d_fake, draws)
        wrong = self.sample_conditions(len(real.samples), draws, "wrong")
        mismatched = Batch(real.samples, wrong) if self.mismatch == "real" else self._fake_of(wrong, real, draws)
        logits = self.discriminate(mismatched).logits
        is_wrong = real.condition.any(1) & (wrong != real.condition).any(1)
        mismatch = self.loss.discriminator(d_real.logits, logits)["fake"] * is_wrong
        return terms | {"fake": terms["fake"] / 2, "mismatch": mismatch / 2}

    @torch.no_grad()
    def _fake_of(self, wrong: Tensor, real: Batch, draws: Draws) -> Batch:
        z = self.sample_z(len(wrong), draws, "wrong")
        return Batch(self.generator(z, wrong), real.condition)
