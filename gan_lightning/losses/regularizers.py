"""Regularizers of the discriminator's logits that depend on earlier batches, too.

Each is a module `regularizer(real_logits, fake_logits)` whose value is added to D's loss. It gets the logits of
the whole batch in `on_step_end`. One whose weight can have a schedule takes it as the argument `weight`.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gan_lightning.distributed.collectives import all_reduce_sum_
from gan_lightning.losses.terms import Number, Part, StepOutput, to_float32


class LeCam(Part):
    """LeCam regularizer: Tseng et al. 2021 (arXiv:2104.03310), eqs. 5-7.

        weight * (E_x (D(x) - a_F)^2 + E_z (D(G(z)) - a_R)^2)

    The authors' code, unlike the paper, leaves out samples with D(x) < a_F or D(G(z)) > a_R. a_R and a_F are moving
    averages of D's mean logits of real and fake samples in earlier batches, a <- d a + (1 - d) mean. After n batches,
    d = min(decay, n / (n + 1)), which at first gives the plain mean; in the first batch a_R = a_F = 0.

    Args:
        weight: The paper's lambda.
        decay: The paper's gamma, in [0, 1).
    """

    anchors: Tensor
    batches: Tensor

    def __init__(self, weight: float, decay: float = 0.99) -> None:
        super().__init__()
        self.weight = weight
        self.decay = decay
        self.register_buffer("anchors", torch.zeros(2))
        self.register_buffer("batches", torch.tensor(0.0))

    def forward(
        self,
        real_logits: Float[Tensor, " batch"],
        fake_logits: Float[Tensor, " batch"],
        *,
        weight: Number | None = None,
    ) -> Float[Tensor, ""]:
        """Returns the term of D's loss, a scalar in float32 or wider.

        Args:
            real_logits: D's logits of real samples.
            fake_logits: D's logits of generated samples.
            weight: The weight in this batch; None: that of the regularizer.
        """
        real_anchor, fake_anchor = self.anchors
        real, fake = to_float32(real_logits) - fake_anchor, to_float32(fake_logits) - real_anchor
        return (self.weight if weight is None else weight) * (real.square().mean() + fake.square().mean())

    @torch.no_grad()
    def on_step_end(self, output: StepOutput) -> None:
        """Updates the averages with the batch's mean logits over all processes."""
        real, fake = output["logits"]["real"], output["logits"]["fake"]
        totals = all_reduce_sum_(torch.stack([real, fake, torch.ones_like(real)]).sum(1, dtype=self.anchors.dtype))
        decay = (self.batches / (self.batches + 1)).clamp(max=self.decay)
        self.anchors.lerp_(totals[:2] / totals[2], 1 - decay)
        self.batches += 1
