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
from torch.nn.functional import softplus

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
