"""Top-k training: G learns from its best samples alone."""

from __future__ import annotations

from torch import Tensor

from gan_lightning.distributed.collectives import all_gather
from gan_lightning.losses.adversarial import AdversarialLoss, Logits
from gan_lightning.losses.terms import StepOutput, Terms


class TopK(AdversarialLoss):
    """Top-k training of any loss: Sinha et al. 2020 (arXiv:2002.06224).

        D minimizes  what it does under the loss
        G minimizes  the mean of its term under the loss, over the k generated samples with the largest logits

    k is `share` times the number of fakes in G's update, over all processes together (of each micro-batch under
    `model.accumulate`), rounded to at least 1. Samples that tie with the k-th count, too. In the paper k falls from the
    whole batch to a smallest share, nu, which a schedule of `loss.share` does.

    Args:
        loss: The loss.
        share: The share of the samples that G learns from, in (0, 1].

    Raises:
        ValueError: The loss compares real with fake samples.
    """

    share: Tensor

    def __init__(self, loss: AdversarialLoss, share: float = 1.0) -> None:
        super().__init__()
        if not loss.separable:
            raise ValueError(
                f"model.loss.loss: {type(loss).__name__} has no term of each generated sample alone, of which top-k "
                "leaves some out; choose model/loss@model.loss.loss=non_saturating, hinge, least_squares or wasserstein"
            )
        self.loss = loss
        self.logits_have_a_sign = loss.logits_have_a_sign  # type: ignore[misc]
        self.register_number("share", share)

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Terms:
        return self.loss.discriminator(real_logits, fake_logits)

    def generator(self, fake_logits: Logits, real_logits: Logits | None = None) -> Terms:
        logits = all_gather(fake_logits.detach())
        k = (self.share * len(logits)).round().long().clamp(min=1)
        least = logits.sort(descending=True).values.gather(0, k.view(1) - 1)
        weights = (fake_logits >= least) * (len(logits) / (logits >= least).sum(dtype=logits.dtype))
        return {name: term * weights for name, term in self.loss.generator(fake_logits, None).items()}

    def metrics(self, output: StepOutput) -> dict[str, Tensor]:
        """Returns the share as `top_k/share`."""
        return {"top_k/share": self.share}
