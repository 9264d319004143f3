"""Heads that compare the samples of a batch with each other, and with a proxy of their class."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import normalize, relu

from gan_lightning.distributed.collectives import all_gather, rank
from gan_lightning.losses.heads import Head
from gan_lightning.losses.terms import DiscriminatorOutput, Terms, to_float32


class ContrastiveHead(Head):
    """The conditional contrastive (2C) loss: Kang & Park 2020 (arXiv:2006.12681).

        both players minimize  -weight * E log(P / A)
        P = exp(l(x) . e(c) / t) + sum over the other samples of class c of exp(l(x) . l(x') / t)
        A = exp(l(x) . e(c) / t) + sum over all other samples of exp(l(x) . l(x') / t)

    l(x) is a linear map of D's features and e(c) a learned proxy of the class, both of length 1. D minimizes it on real
    samples, G on generated ones. The batch is that of all processes; samples without a class do not count.

    Args:
        feature_dim: The number of D's features.
        num_classes: The number of classes.
        weight: The weight of the term.
        embedding_dim: The number of entries of l(x).
        temperature: The paper's t.
    """

    def __init__(
        self,
        feature_dim: int,
        num_classes: int,
        weight: float = 1.0,
        embedding_dim: int = 512,
        temperature: float = 1.0,
    ) -> None:
        super().__init__(feature_dim, embedding_dim)
        self.proxies = nn.Embedding(num_classes, embedding_dim)
        self.weight = weight
        self.temperature = temperature

    def discriminator(self, real: DiscriminatorOutput, fake: DiscriminatorOutput) -> Terms:
        return {"class_real": self._loss(real)}

    def generator(self, fake: DiscriminatorOutput) -> Terms:
        return {"class": self._loss(fake)}

    def contrast(
        self,
        to_proxy: Float[Tensor, " batch"],
        to_samples: Float[Tensor, "batch all"],
        same: Bool[Tensor, "batch all"],
        other: Bool[Tensor, "batch all"],
    ) -> Float[Tensor, " batch"]:
        """Returns the loss of each sample.

        Args:
            to_proxy: The cosine of a sample and the proxy of its class.
            to_samples: Its cosines with the samples of all processes.
            same: Which of them are other samples of its class.
            other: Which of them are samples of another class.
        """
        pulled, near = to_proxy / self.temperature, to_samples / self.temperature
        return _log_sum(pulled, near, same | other) - _log_sum(pulled, near, same)

    def _loss(self, output: DiscriminatorOutput) -> Float[Tensor, ""]:
        assert output.condition is not None
        embedded = self(output)
        with torch.autocast(embedded.device.type, enabled=False):
            condition = output.condition.to(embedded.dtype)
            samples, proxies = normalize(embedded), normalize(to_float32(condition @ self.proxies.weight))
            conditions = all_gather(condition)
            together = condition @ conditions.T > 0
            labeled = condition.any(1, keepdim=True)
            place = torch.arange(len(conditions), device=condition.device)
            pairs = (place != place[: len(condition), None] + rank() * len(condition)) & labeled & conditions.any(1)
            losses = self.contrast(
                (samples * proxies).sum(1), samples @ all_gather(samples).T, pairs & together, pairs & ~together
            )
        return self.weight * (losses * labeled.squeeze(1)).mean()


class Data2DataHead(ContrastiveHead):
    """The data-to-data cross-entropy (D2D-CE) loss: Kang et al. 2021 (arXiv:2111.01118).

        both players minimize  -weight * E log(P / (P + sum over the samples of other classes of N))
        P = exp(min(l(x) . e(c) - m, 0) / t),  N = exp(max(l(x) . l(x') - 1 + m, 0) / t)

    A sample that is near its proxy, or far from one of another class, has no slope there. In the authors' code each
    sample's N are divided by exp of the largest l(x) . l(x') - 1 + m over t, without a gradient, and P is not.

    Args:
        feature_dim: As of `ContrastiveHead`.
        num_classes: As of `ContrastiveHead`.
        weight: As of `ContrastiveHead`.
        embedding_dim: As of `ContrastiveHead`.
        temperature: The paper's tau.
        margin: The paper's m_p, the cosine above which a sample is near its proxy; m_n is 1 - margin.
    """

    def __init__(
        self,
        feature_dim: int,
        num_classes: int,
        weight: float = 0.5,
        embedding_dim: int = 512,
        temperature: float = 0.5,
        margin: float = 0.98,
    ) -> None:
        super().__init__(feature_dim, num_classes, weight, embedding_dim, temperature)
        self.margin = margin

    def contrast(
        self,
        to_proxy: Float[Tensor, " batch"],
        to_samples: Float[Tensor, "batch all"],
        same: Bool[Tensor, "batch all"],
        other: Bool[Tensor, "batch all"],
    ) -> Float[Tensor, " batch"]:
        pulled = -relu(self.margin - to_proxy) / self.temperature
        return _log_sum(pulled, relu(to_samples - 1 + self.margin) / self.temperature, other) - pulled


def _log_sum(first: Tensor, more: Tensor, counted: Tensor) -> Tensor:
    """log(exp(first) + the sum of exp(more) over what is counted), for each row."""
    return torch.cat([first.unsqueeze(1), more.masked_fill(~counted, -torch.inf)], 1).logsumexp(1)
