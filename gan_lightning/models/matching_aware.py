"""The conditional GAN that learns which pairs of image and condition belong together."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gan_lightning.losses.adversarial import Terms
from gan_lightning.models.gan import GAN


class MatchingAwareGAN(GAN):
    """GAN-CLS: Reed et al. 2016 (arXiv:1605.05396), algorithm 1. Three parts, c~ being a wrong condition:

        D minimizes  -E log D(x, c) - [E log(1 - D(G(z, c), c)) + E log(1 - D(x, c~))] / 2
        G minimizes  -E log D(G(z, c), c)

    A sample without a label (c = 0) is not dropped: D judges it, and a fake beside it, without a condition, and G is
    asked for a condition of another sample in its place.

    Args:
        mismatch: what makes the third part: "real", a real image with a wrong condition, as in the paper; or "fake",
            an image generated for a wrong condition and judged with the right one, G(z, c~) with c.
    """

    def __init__(self, *arguments: Any, mismatch: Literal["real", "fake"] = "real", **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.mismatch = mismatch
        if not self.conditional:
            raise ValueError("model.conditional=false: the matching-aware GAN needs labels; expected true")

    def discriminator_terms(self, real: Tensor, condition: Tensor | None) -> Terms:
        assert condition is not None
        wrong = self._other_conditions(len(real), "wrong")
        with torch.no_grad():
            fake = self.generator(self.latent(len(real), "discriminator"), self._asked(condition))
            unfit = real if self.mismatch == "real" else self.generator(self.latent(len(real), "wrong"), wrong)
        told = wrong if self.mismatch == "real" else condition
        mismatched = condition.any(1) & (wrong != condition).any(1)
        terms = self.judge(real, fake, condition)
        mismatch = (softplus(self.discriminate(unfit, told)) * mismatched).mean()
        return terms | {"fake": terms["fake"] / 2, "mismatch": mismatch / 2}

    def generator_terms(self, real: Tensor, condition: Tensor | None) -> Terms:
        assert condition is not None
        asked = self._asked(condition)
        fake = self.generator(self.latent(len(real), "generator"), asked)
        return self.generator_loss(self.discriminate(fake, asked))

    def _asked(self, condition: Tensor) -> Tensor:
        """What G is asked for: the conditions of the batch, and others where there is none."""
        return torch.where(condition.any(1, keepdim=True), condition, self._other_conditions(len(condition), "asked"))

    def _other_conditions(self, count: int, purpose: str) -> Tensor:
        assert self.conditions is not None
        return self.share(self.conditions.draw, count, "conditions", purpose)
