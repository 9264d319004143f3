"""The GAN whose discriminator learns the direction of its last layer apart from all else."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import normalize

from gan_lightning.losses import DiscriminatorOutput, Hinge, Terms
from gan_lightning.losses.terms import join, to_float32
from gan_lightning.models.batch import Batch
from gan_lightning.models.draws import Draws
from gan_lightning.models.gan import GAN


class SAN(GAN):
    """Slicing adversarial network: Takida et al. 2024 (arXiv:2301.12811).

        D(x) = <s h(x), w>,  where w is the direction of the last layer's weights, and s their length
        D minimizes  L_D(<s h, sg(w)>)  +  E_z <sg(s h(G(z))), w> - E_x <sg(s h(x)), w>
        G minimizes  L_G(<s h(G(z)), w>)

    sg stops the gradient: the chosen loss L trains h and s, and the second part, which is Wasserstein's, turns the
    direction w alone to where both distributions are farthest apart. The authors' code has the hinge loss, the default;
    any loss takes its place that has a separate term for real and for fake samples.

    D stays the network that it is. With `network.discriminator.join=projection` or `inner_product` the weights of the
    last layer, and so w and s, depend on the condition. A bias is a part of h, so it has no share in the second part.

    Args:
        generator: As of `GAN`.
        discriminator: As of `GAN`; it needs the methods `features` and `head`, and the head its `factors`.

    Raises:
        ValueError: The loss compares real with fake samples, or D's last layer is not linear.
    """

    default_loss = Hinge
    uses_features = True

    def __init__(self, generator: nn.Module, discriminator: nn.Module, **gan: Any) -> None:
        super().__init__(generator, discriminator, **gan)
        if not self.loss.separable:
            raise ValueError(
                f"model.loss: {type(self.loss).__name__} has no terms of real and of fake samples alone, which SAN "
                "needs; choose model/loss=hinge, non_saturating, least_squares or wasserstein"
            )
        if not hasattr(getattr(discriminator, "head", None), "factors"):
            raise ValueError(
                f"network.discriminator: {type(discriminator).__name__} has no linear last layer `head` whose "
                "direction SAN can learn; choose another network="
            )

    def head_logits(self, features: Tensor, condition: Tensor | None) -> Tensor:
        h, weight, bias = self._factors(features, condition)
        logits = (h * weight.norm(dim=1, keepdim=True) * normalize(weight).detach()).sum(1)
        return logits if bias is None else logits + bias

    def discriminator_terms(
        self, real: Batch, fake: Batch, d_real: DiscriminatorOutput, d_fake: DiscriminatorOutput, draws: Draws
    ) -> Terms:
        terms = super().discriminator_terms(real, fake, d_real, d_fake, draws)
        return join(terms, {"direction_real": -self._slice(d_real), "direction_fake": self._slice(d_fake)})

    def _slice(self, output: DiscriminatorOutput) -> Tensor:
        """<sg(s h), w> of each sample."""
        assert output.features is not None
        h, weight, _ = self._factors(output.features, output.condition)
        return to_float32(((h * weight.norm(dim=1, keepdim=True)).detach() * normalize(weight)).sum(1))

    def _factors(self, features: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        return self.discriminator.head.factors(features, condition)  # type: ignore[operator, union-attr]
