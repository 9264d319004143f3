"""BigGAN: the GAN with spectral normalization of both networks."""

from __future__ import annotations

from typing import Any

from torch import nn

from gan_lightning.models.sngan import SNGAN, spectrally_normalized


class BigGAN(SNGAN):
    """BigGAN: Brock et al. 2019 (arXiv:1809.11096), after SAGAN, Zhang et al. 2019 (arXiv:1805.08318), section 3.2.

        W_SN = W / sigma(W)  in every layer of D and of G

    The loss is the hinge loss. The singular vectors of G move in each update of either player, as it generates in both.
    The average of G (EMA) has averages of W, and the singular vectors of the last W.
    """

    def __init__(self, generator: nn.Module, discriminator: nn.Module, **gan: Any) -> None:
        super().__init__(spectrally_normalized(generator), discriminator, **gan)
