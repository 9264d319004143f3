"""The GAN whose players step together."""

from __future__ import annotations

from typing import Any

from torch import nn

from gan_lightning.models.gan import GAN
from gan_lightning.models.phases import simultaneous


class SimultaneousGAN(GAN):
    """Simultaneous gradient descent: Mescheder et al. 2017 (arXiv:1705.10461), algorithm 1.

        (D, G) <- (D - lr grad_D L_D(D, G),  G - lr grad_G L_G(D, G))

    Both gradients come from the same fake batch and forward pass; none depends on the other player's step.
    """

    def __init__(self, generator: nn.Module, discriminator: nn.Module, **gan: Any) -> None:
        super().__init__(generator, discriminator, **{"phases": simultaneous} | gan)
