"""The conditional GAN whose discriminator also classifies."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

from gan_lightning.errors import UserError
from gan_lightning.losses import ClassifierHead, Head
from gan_lightning.models.gan import GAN


class ACGAN(GAN):
    """Auxiliary-classifier GAN: Odena et al. 2017 (arXiv:1610.09585), eqs. 2 and 3.

        L_S = E log P(S = real | x) + E log P(S = fake | G(z, c)),   L_C = E log P(C = c | x) + E log P(C = c | G(z, c))
        D maximizes L_C + L_S,  G maximizes L_C - L_S  (the chosen loss defines L_S)

    `network/join=none`, which `model=acgan` chooses, hides the class from D. Samples without a class do not enter L_C.

    Args:
        generator: As of `GAN`.
        discriminator: As of `GAN`; it needs the methods `features` and `head`.
        classes: The number of classes.
        class_weight: The weight of L_C.
        class_head: A function that builds the head from D's feature dimension, `num_classes` and `weight`.

    Raises:
        ValueError: The model is not conditional.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        classes: int,
        class_weight: float = 1.0,
        class_head: Callable[..., Head] = ClassifierHead,
        **gan: Any,
    ) -> None:
        head = partial(class_head, num_classes=classes, weight=class_weight)
        heads = {"class": head} | (gan.pop("heads", None) or {})
        super().__init__(generator, discriminator, heads=heads, **gan)
        if not self.conditional:
            raise ValueError(f"model.conditional=false: {type(self).__name__} needs classes; expected true")

    def setup(self, stage: str) -> None:
        super().setup(stage)
        assert self.vocabulary is not None
        if (self.vocabulary.examples.sum(1) > 1).any():
            raise UserError(
                f"data: its samples have several tags each; {type(self).__name__} needs classes. Choose another data="
            )
