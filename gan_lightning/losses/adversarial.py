"""Adversarial losses: pure functions of logits.

Each returns its terms by name. Their sum is the loss; the names are what the finite guard reports.
A logit is D's output before the sigmoid: D(x) = sigmoid(logit), so -log D = softplus(-logit) and
-log(1 - D) = softplus(logit), exact where the sigmoid itself would round to 0 or 1.
"""

from __future__ import annotations

import functools
import operator

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import relu, softplus

Terms = dict[str, Tensor]
"""Scalar summands of a loss, by name."""


def total(terms: Terms) -> Tensor:
    """The loss that the terms make up: their sum."""
    return functools.reduce(operator.add, terms.values())


def nonsaturating_discriminator(real_logits: Float[Tensor, "*batch"], fake_logits: Float[Tensor, "*batch"]) -> Terms:
    """-E log D(x) - E log(1 - D(G(z))): Goodfellow et al. 2014 (arXiv:1406.2661), eq. 1, negated."""
    return {"real": softplus(-real_logits).mean(), "fake": softplus(fake_logits).mean()}


def nonsaturating_generator(fake_logits: Float[Tensor, "*batch"]) -> Terms:
    """-E log D(G(z)): Goodfellow et al. 2014 (arXiv:1406.2661), section 3, last paragraph."""
    return {"fake": softplus(-fake_logits).mean()}


def saturating_generator(fake_logits: Float[Tensor, "*batch"]) -> Terms:
    """E log(1 - D(G(z))), the minimax game itself: Goodfellow et al. 2014 (arXiv:1406.2661), eq. 1."""
    return {"fake": -softplus(fake_logits).mean()}


def least_squares_discriminator(real_logits: Float[Tensor, "*batch"], fake_logits: Float[Tensor, "*batch"]) -> Terms:
    """1/2 E (D(x) - 1)^2 + 1/2 E D(G(z))^2: Mao et al. 2017 (arXiv:1611.04076), eq. 9; D is the logit itself."""
    return {"real": (real_logits - 1).square().mean() / 2, "fake": fake_logits.square().mean() / 2}


def least_squares_generator(fake_logits: Float[Tensor, "*batch"]) -> Terms:
    """1/2 E (D(G(z)) - 1)^2: Mao et al. 2017 (arXiv:1611.04076), eq. 9."""
    return {"fake": (fake_logits - 1).square().mean() / 2}


def critic(real_logits: Float[Tensor, "*batch"], fake_logits: Float[Tensor, "*batch"]) -> Terms:
    """E f(G(z)) - E f(x), f being the logit: Arjovsky et al. 2017 (arXiv:1701.07875), eq. 3, negated."""
    return {"real": -real_logits.mean(), "fake": fake_logits.mean()}


def critics_generator(fake_logits: Float[Tensor, "*batch"]) -> Terms:
    """-E f(G(z)): Arjovsky et al. 2017 (arXiv:1701.07875), algorithm 1; the hinge loss shares it."""
    return {"fake": -fake_logits.mean()}


def hinge_discriminator(real_logits: Float[Tensor, "*batch"], fake_logits: Float[Tensor, "*batch"]) -> Terms:
    """E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))): Lim & Ye 2017 (arXiv:1705.02894), Miyato et al. 2018, eq. 16."""
    return {"real": relu(1 - real_logits).mean(), "fake": relu(1 + fake_logits).mean()}


def relativistic_average(
    better: Float[Tensor, "*batch"],
    worse: Float[Tensor, "*batch"],
    mean_better: Float[Tensor, ""],
    mean_worse: Float[Tensor, ""],
) -> Terms:
    """-E log s(C(b) - E C(w)) - E log(1 - s(C(w) - E C(b))), s being the sigmoid and C the logits.

    Jolicoeur-Martineau 2018 (arXiv:1807.00734), section 4.2, RaSGAN: D takes real samples for the better ones,
    G the fake. The means are over the whole batch.
    """
    return {"better": softplus(mean_worse - better).mean(), "worse": softplus(worse - mean_better).mean()}


def relativistic_pairs(better: Float[Tensor, " batch"], worse: Float[Tensor, " batch"]) -> Terms:
    """E f(C(worse) - C(better)), f = softplus, sample by sample: Jolicoeur-Martineau 2018, section 4.1 (RpGAN).

    As in Huang et al. 2024 (arXiv:2501.05441), eq. 2: D takes real samples for the better ones, G the fake.
    """
    return {"pairs": softplus(worse - better).mean()}
