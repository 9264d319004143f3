"""Auxiliary heads: further outputs on D's features, with their terms in both players' losses."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gan_lightning.losses.terms import DiscriminatorOutput, Part, Terms, to_float32


class Head(Part):
    """A linear head on D's features, which is updated with D. A head of your own defines the two methods.

    Args:
        feature_dim: The number of D's features.
        out_dim: The number of the head's outputs.
    """

    def __init__(self, feature_dim: int, out_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(feature_dim, out_dim)

    def forward(self, output: DiscriminatorOutput) -> Float[Tensor, "batch out"]:
        """Returns the head's output, in float32 or wider."""
        assert output.features is not None
        return to_float32(self.linear(output.features))

    def discriminator(self, real: DiscriminatorOutput, fake: DiscriminatorOutput) -> Terms:
        """Returns the head's terms in D's loss."""
        raise NotImplementedError

    def generator(self, fake: DiscriminatorOutput) -> Terms:
        """Returns the head's terms in G's loss."""
        raise NotImplementedError


class ClassifierHead(Head):
    """The auxiliary classifier: Odena et al. 2017 (arXiv:1610.09585), eq. 3.

        both players minimize  -weight * E log P(C = c | x)

    D minimizes it on real and on generated samples, G on generated ones. Samples without a class do not count.

    Args:
        feature_dim: The number of D's features.
        num_classes: The number of classes.
        weight: The weight of the term.
    """

    def __init__(self, feature_dim: int, num_classes: int, weight: float = 1.0) -> None:
        super().__init__(feature_dim, num_classes)
        self.weight = weight

    def discriminator(self, real: DiscriminatorOutput, fake: DiscriminatorOutput) -> Terms:
        return {"class_real": self._loss(real), "class_fake": self._loss(fake)}

    def generator(self, fake: DiscriminatorOutput) -> Terms:
        return {"class": self._loss(fake)}

    def _loss(self, output: DiscriminatorOutput) -> Float[Tensor, ""]:
        # The condition is one-hot. A row of zeros, where there is no class, gives a loss of 0.
        assert output.condition is not None
        return self.weight * cross_entropy(self(output), output.condition)


class CodeHead(Head):
    """The head Q of InfoGAN, which predicts the code: Chen et al. 2016 (arXiv:1606.03657), eq. 5.

        both players minimize  -weight * E log Q(c | G(z, c))   (up to the constant entropy H(c))

    The code c is the last entries of z: first one-hot, then continuous, for which Q is a normal distribution.

    Args:
        feature_dim: The number of D's features.
        categories: The number of categories of the one-hot code; 0 means that there is none.
        continuous: The number of continuous codes.
        weight: The paper's lambda.
        fix_std: Whether the standard deviation of the normal distribution is 1, and not predicted.
    """

    def __init__(
        self, feature_dim: int, categories: int, continuous: int, weight: float = 1.0, fix_std: bool = False
    ) -> None:
        super().__init__(feature_dim, categories + (1 if fix_std else 2) * continuous)
        self.fix_std = fix_std
        self.categories = categories
        self.continuous = continuous
        self.weight = weight

    def discriminator(self, real: DiscriminatorOutput, fake: DiscriminatorOutput) -> Terms:
        return {"info": self._loss(fake)}

    def generator(self, fake: DiscriminatorOutput) -> Terms:
        return {"info": self._loss(fake)}

    def _loss(self, fake: DiscriminatorOutput) -> Float[Tensor, ""]:
        assert fake.z is not None
        q, code = self(fake), fake.z[:, fake.z.shape[1] - self.categories - self.continuous :]
        loss = q.new_zeros(())
        if self.categories:
            loss = loss + cross_entropy(q[:, : self.categories], code[:, : self.categories])
        if self.continuous:
            predicted = q[:, self.categories :]
            mean, log_variance = (predicted, torch.zeros_like(predicted)) if self.fix_std else predicted.chunk(2, 1)
            loss = loss + _normal_nll(mean, code[:, self.categories :], log_variance) * self.continuous
        return self.weight * loss


def _normal_nll(mean: Tensor, value: Tensor, log_variance: Tensor) -> Float[Tensor, ""]:
    """-E log N(value; mean, exp(log_variance)), up to a constant.

    It is torch's gaussian_nll_loss without the check of the variance's sign, which waits for the GPU.
    """
    variance = log_variance.exp().clone()  # the gradient of exp needs the values before the next line
    with torch.no_grad():
        variance.clamp_(min=1e-6)
    return 0.5 * (variance.log() + (mean - value).square() / variance).mean()
