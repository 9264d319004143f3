"""The conditional GAN whose discriminator classifies by cosines, which rebooted the auxiliary classifier."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import nn

from gan_lightning.losses import Data2DataHead, Hinge
from gan_lightning.models.acgan import ACGAN


class ReACGAN(ACGAN):
    """Rebooted AC-GAN: Kang et al. 2021 (arXiv:2111.01118): the data-to-data cross-entropy L_D2D.

        D minimizes  L_D + class_weight * L_D2D(x),  G minimizes  L_G + class_weight * L_D2D(G(z, c))

    `Data2DataHead` has L_D2D. `network/join=none` hides the class from the rest of D.

    Args:
        generator: As of `ACGAN`.
        discriminator: As of `ACGAN`.
        classes: The number of classes.
        class_weight: The weight of L_D2D.
        embedding_dim: The number of entries of a sample's embedding.
        temperature: The temperature of L_D2D.
        margin: The cosine with its proxy above which a sample has no slope towards it.

    Raises:
        ValueError: The model is not conditional.
    """

    default_loss = Hinge

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        classes: int,
        class_weight: float = 0.5,
        embedding_dim: int = 512,
        temperature: float = 0.5,
        margin: float = 0.98,
        **gan: Any,
    ) -> None:
        head = partial(Data2DataHead, embedding_dim=embedding_dim, temperature=temperature, margin=margin)
        super().__init__(generator, discriminator, classes=classes, class_weight=class_weight, class_head=head, **gan)
