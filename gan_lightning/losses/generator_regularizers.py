"""Regularizers of the generator: terms of G's loss that D has no part in.

Each is a module `regularizer(generator, fake, z, condition, draw_noise)` whose value is added to G's loss. `generator`
is the network that is trained, `fake` its samples for the latents `z` and the condition, with their graph.
`draw_noise(torch.randn, 3, 4)` samples noise of shape (batch, 3, 4); a sample's noise does not depend on the number of
processes. Regularizers run in float32 at every precision of the step.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gan_lightning.losses.terms import Number, Part


class GeneratorRegularizer(Part):
    """The base of G's regularizers. One of your own inherits this class and defines `forward`.

    Args:
        weight: The factor of the term.
        every_n_updates: The number of G's updates between two uses, and a further factor of the term: lazy
            regularization, Karras et al. 2020 (arXiv:1912.04958), appendix B.
    """

    def __init__(self, weight: float, every_n_updates: int = 1) -> None:
        super().__init__()
        self.weight = weight
        self.every_n_updates = every_n_updates

    def forward(
        self,
        generator: nn.Module,
        fake: Float[Tensor, "batch *sample"],
        z: Float[Tensor, "batch latent"],
        condition: Float[Tensor, "batch condition"] | None,
        draw_noise: Callable[..., Tensor],
        *,
        weight: Number | None = None,
    ) -> Float[Tensor, ""]:
        """Returns the term of G's loss, a scalar in float32 or wider, without the factor `every_n_updates`.

        Args:
            generator: G, in training.
            fake: G's samples.
            z: Their latents.
            condition: Their conditions; None in an unconditional model.
            draw_noise: A function that samples noise for each sample.
            weight: The weight in this batch; None: that of the regularizer.
        """
        raise NotImplementedError


class LatentDistance(GeneratorRegularizer):
    """The part of latent consistency (zCR) that G has: near latents shall give samples that are far from each other.

        -weight * E_z |G(z) - G(z + d)|^2 / n,  d ~ N(0, std^2)  for each of the numbers of z

    Zhao et al. 2021 (arXiv:2002.04724), algorithm 2, with the mean over the n numbers of a sample, as in StudioGAN. It
    has no lower bound by itself: `gan_lightning.models.ZCRGAN` has D's part, which weighs against it.

    Args:
        weight: The paper's lambda_gen.
        std: The paper's sigma.
        every_n_updates: As of `GeneratorRegularizer`.
    """

    def __init__(self, weight: float, std: float, every_n_updates: int = 1) -> None:
        super().__init__(weight, every_n_updates)
        self.std = std

    def forward(
        self,
        generator: nn.Module,
        fake: Float[Tensor, "batch *sample"],
        z: Float[Tensor, "batch latent"],
        condition: Float[Tensor, "batch condition"] | None,
        draw_noise: Callable[..., Tensor],
        *,
        weight: Number | None = None,
    ) -> Float[Tensor, ""]:
        near = generator(z + self.std * draw_noise(torch.randn, z.shape[1]), condition)
        return -(self.weight if weight is None else weight) * (fake - near).square().mean()
