"""Regularizers of the generator: terms of G's loss that D has no part in.

Each is a module `regularizer(generator, fake)` whose value is added to G's loss. `generator` is the network that is
trained, `fake` its samples with their graph. Regularizers run in float32 at every precision of the step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gan_lightning.distributed.collectives import all_reduce_mean
from gan_lightning.losses.terms import Number, Part


class Generated(NamedTuple):
    """What a regularizer is given of a batch.

    Attributes:
        samples: G's samples, (batch, *shape of a sample).
        z: Their latents, (batch, latent_dim).
        condition: Their conditions, (batch, condition_dim); None in an unconditional model.
        draw_noise: `draw_noise(torch.randn, 3, 4)` samples noise of shape (batch, 3, 4); a sample's noise does not
            depend on the number of processes.
    """

    samples: Tensor
    z: Tensor
    condition: Tensor | None
    draw_noise: Callable[..., Tensor]


class GeneratorRegularizer(Part):
    """The base of G's regularizers. One of your own inherits this class and defines `value`.

    Args:
        weight: The factor of the term.
        every_n_updates: The number of G's updates between two uses, and a further factor of the term: lazy
            regularization, Karras et al. 2020 (arXiv:1912.04958), appendix B.
    """

    def __init__(self, weight: float, every_n_updates: int = 1) -> None:
        super().__init__()
        self.weight = weight
        self.every_n_updates = every_n_updates

    def require_fitting(self, generator: nn.Module) -> None:
        """Raises a ValueError if the term is not defined for a generator; here it is for all."""

    def forward(self, generator: nn.Module, fake: Generated, *, weight: Number | None = None) -> Float[Tensor, ""]:
        """Returns the term of G's loss, a scalar in float32 or wider, without the factor `every_n_updates`.

        Args:
            generator: G, in training.
            fake: Its samples, and what they are of.
            weight: The weight in this batch; None: that of the regularizer.
        """
        return (self.weight if weight is None else weight) * self.value(generator, fake)

    def value(self, generator: nn.Module, fake: Generated) -> Float[Tensor, ""]:
        """Returns the term without its weight."""
        raise NotImplementedError


class LatentDistance(GeneratorRegularizer):
    """The part of latent consistency (zCR) that G has: near latents shall give samples that are far from each other.

        -weight * E_z |G(z) - G(z + d)|^2 / n,  d ~ N(0, std^2)  for each of the numbers of z

    Zhao et al. 2021 (arXiv:2002.04724), algorithm 2, with the mean over the n numbers of a sample, as in StudioGAN. It
    has no lower bound by itself: `gan_lightning.models.ZCRGAN` has D's part, which weighs against it.

    G has to be a function of its latents: two samples of one that draws noise of its own differ for d = 0, too.

    Args:
        weight: The paper's lambda_gen.
        std: The paper's sigma.
        every_n_updates: As of `GeneratorRegularizer`.
    """

    def __init__(self, weight: float, std: float, every_n_updates: int = 1) -> None:
        super().__init__(weight, every_n_updates)
        self.std = std

    def require_fitting(self, generator: nn.Module) -> None:
        if getattr(generator, "draws_in_training", False):
            raise ValueError(
                f"network.generator: {type(generator).__name__} draws noise and second latents of its own in training, "
                "which zCR would take for the effect of near latents; set network.generator.noise=false and "
                "network.generator.style_mixing=0"
            )

    def value(self, generator: nn.Module, fake: Generated) -> Float[Tensor, ""]:
        near = generator(fake.z + self.std * fake.draw_noise(torch.randn, fake.z.shape[1]), fake.condition)
        return -(fake.samples - near).square().mean()


class OrthogonalRegularizer(GeneratorRegularizer):
    """Orthogonal regularization: Brock et al. 2019 (arXiv:1809.11096), eq. 3.

        weight * sum_W ||W W^T (1 - I)||_F^2

    The rows of each W, the filters of a convolution, shall be orthogonal; their lengths are free. The sum runs over the
    weights of at least two axes, without embeddings; of spectrally normalized ones over W and not W / sigma. The
    authors' code adds half of this gradient: its strength of 1e-4 is a weight of 5e-5.

    Args:
        weight: The paper's beta.
        every_n_updates: As of `GeneratorRegularizer`.
    """

    def value(self, generator: nn.Module, fake: Generated) -> Float[Tensor, ""]:
        named = generator.named_parameters()
        weights = [p.flatten(1) for name, p in named if p.ndim > 1 and "embedding" not in name.split(".")]
        products = [w @ w.T for w in weights]
        terms = [(product - product.diag().diag()).square().sum() for product in products]
        return torch.stack(terms).sum()


class PathLength(GeneratorRegularizer):
    """Path length regularization of a style-based G: Karras et al. 2020 (arXiv:1912.04958), eq. 4.

        weight * E (||J_w^T y|| - a)^2,    y ~ N(0, 1 / (height * width)),    a <- (1 - decay) a + decay E ||J_w^T y||

    J_w is the Jacobian of the image with respect to w; the norm is the root of the mean over layers of the squared norm
    for the w of a layer. As in the authors' code, the gradient goes through a, too. In a batch of several processes, a
    has the mean over all of them.

    Args:
        weight: The factor of the term.
        every_n_updates: As of `GeneratorRegularizer`.
        decay: The share of the new mean in a, in [0, 1].
        batch_shrink: Of how many latents one is used; their images are generated anew, which takes memory.
    """

    mean: Tensor

    def __init__(self, weight: float, every_n_updates: int = 4, decay: float = 0.01, batch_shrink: int = 2) -> None:
        super().__init__(weight, every_n_updates)
        self.decay = decay
        self.batch_shrink = batch_shrink
        self.register_buffer("mean", torch.tensor(0.0))

    def require_fitting(self, generator: nn.Module) -> None:
        if not hasattr(generator, "styles"):
            raise ValueError(
                f"model.generator_regularizers: {type(generator).__name__} has no styles, whose paths PathLength "
                "measures; choose network=stylegan2, or generator_regularizer=null"
            )

    def value(self, generator: nn.Module, fake: Generated) -> Float[Tensor, ""]:
        # The same latents for any number of processes, if each has a multiple of `batch_shrink`.
        some = slice(None, None, self.batch_shrink)
        condition = None if fake.condition is None else fake.condition[some]
        styles = generator.styles(fake.z[some], condition)  # type: ignore[operator]
        images = generator.synthesize(styles)  # type: ignore[operator]
        noise = fake.draw_noise(torch.randn, *images.shape[1:])[some] / math.sqrt(images[0, 0].numel())
        slopes = torch.autograd.grad((images * noise).sum(), styles, create_graph=True)[0]
        lengths = slopes.square().sum(2).mean(1).sqrt()
        mean = self.mean.lerp(all_reduce_mean(lengths.mean()), self.decay)
        self.mean.copy_(mean.detach())
        return (lengths - mean).square().mean()
