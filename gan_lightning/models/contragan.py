"""The conditional GAN whose discriminator contrasts the samples of a batch by their classes."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import nn

from gan_lightning.losses import ContrastiveHead, Hinge
from gan_lightning.models.acgan import ACGAN


class ContraGAN(ACGAN):
    """ContraGAN: Kang & Park 2020 (arXiv:2006.12681): the conditional contrastive loss L_2C.

        D minimizes  L_D + class_weight * L_2C(x),  G minimizes  L_G + class_weight * L_2C(G(z, c))

    `ContrastiveHead` has L_2C. `network/join=none` hides the class from the rest of D.

    Args:
        generator: As of `ACGAN`.
        discriminator: As of `ACGAN`.
        classes: The number of classes.
        class_weight: The weight of L_2C.
        embedding_dim: The number of entries of a sample's embedding.
        temperature: The temperature of L_2C.

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
        class_weight: float = 1.0,
        embedding_dim: int = 512,
        temperature: float = 1.0,
        **gan: Any,
    ) -> None:
        head = partial(ContrastiveHead, embedding_dim=embedding_dim, temperature=temperature)
        super().__init__(generator, discriminator, classes=classes, class_weight=class_weight, class_head=head, **gan)
