"""The metrics, computed on features."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance

from gan_lightning import rng
from gan_lightning.evaluation.features import Features, require_finite
from gan_lightning.evaluation.manifold import manifold_metrics

BLOCK = 1024
"""The number of images whose features are converted to float64 at a time."""
NEIGHBORS = 10_000
"""The largest number of images, real and generated each, for the metrics of nearest neighbors."""


def metrics(
    real: Features, generated: Features, seed: int, real_radii: Sequence[Tensor] | None = None
) -> dict[str, float]:
    """Computes every metric; the class metrics only if the features have logits, and sFID if they are spatial, too.

    Args:
        real: The features of the real images.
        generated: The features of the generated images.
        seed: The seed of the random subsets of KID and the inception score.
        real_radii: `radii(among_neighbors(real), 3, 5)`, if they are computed already.
    """
    found = {"fid": fid(real.vectors, generated.vectors)}
    if real.spatial is not None and generated.spatial is not None:
        found["sfid"] = fid(real.spatial, generated.spatial)  # Nash et al. 2021 (arXiv:2103.03841), section 4
    found |= {
        "kid": kid(real.vectors, generated.vectors, seed),
        **manifold_metrics(among_neighbors(real), among_neighbors(generated), real_radii),
    }
    if real.logits is not None and generated.logits is not None:
        found |= {"inception_score": inception_score(generated.logits, seed), **class_metrics(real, generated)}
    return found


def among_neighbors(features: Features) -> Float[Tensor, "n dimensions"]:
    """The vectors for the metrics of nearest neighbors: all, or a fixed random subset of `NEIGHBORS`."""
    vectors = features.vectors
    if len(vectors) <= NEIGHBORS:
        return vectors
    return vectors[rng.permutation(len(vectors), "neighbours")[:NEIGHBORS]]


def fid(real: Float[Tensor, "n dimensions"], generated: Float[Tensor, "m dimensions"]) -> float:
    """The Fréchet distance of two normal distributions: Heusel et al. 2017 (arXiv:1706.08500), eq. 6.

    The eigenvalues of C_r C_g are those of the symmetric matrix F^T C_g F, where C_r = F F^T: a symmetric solver is
    faster than a general one, and its eigenvalues are real.

    Raises:
        FloatingPointError: A feature is not finite: LAPACK could end the process.
    """
    for features in (real, generated):
        require_finite(features)
    (mean_r, cov_r), (mean_g, cov_g) = _moments(real), _moments(generated)
    factor, failed = torch.linalg.cholesky_ex(cov_r)
    if failed:  # it is singular: there are fewer images than dimensions, or a feature is constant
        values, vectors = torch.linalg.eigh(cov_r)
        factor = vectors * values.clamp(min=0).sqrt()
    common = torch.linalg.eigvalsh(factor.T @ cov_g @ factor).clamp(min=0).sqrt().sum()
    return ((mean_r - mean_g).square().sum() + cov_r.trace() + cov_g.trace() - 2 * common).item()


def _moments(
    features: Float[Tensor, "n dimensions"],
) -> tuple[Float[Tensor, " dimensions"], Float[Tensor, "dimensions dimensions"]]:
    """The mean and the unbiased covariance in float64, computed in blocks."""
    mean = features.mean(0, dtype=torch.float64)
    blocks = (block.double() - mean for block in features.split(BLOCK))
    covariance = sum(block.T @ block for block in blocks) / (len(features) - 1)
    return mean, torch.as_tensor(covariance)


def kid(real: Float[Tensor, "n dimensions"], generated: Float[Tensor, "m dimensions"], seed: int) -> float:
    """Unbiased squared MMD with a cubic kernel: Bińkowski et al. 2018 (arXiv:1801.01401), eq. 4, mean of 50 subsets."""
    size = min(1000, len(real), len(generated))
    metric = _metric_on_features(KernelInceptionDistance, real.shape[1], subsets=50, subset_size=size)
    metric.update(real, real=True)
    metric.update(generated, real=False)
    return _seeded(metric.compute, "kid", seed)[0].item()


def inception_score(logits: Float[Tensor, "n classes"], seed: int) -> float:
    """Exp of the mean KL(p(class | image) || p(class)): Salimans et al. 2016 (arXiv:1606.03498), section 4."""
    metric = _metric_on_features(InceptionScore, logits.shape[1], splits=min(10, len(logits)))
    metric.update(logits.double())  # in float32 a probability can round to 0, and the score becomes NaN
    return _seeded(metric.compute, "inception_score", seed)[0].item()


def class_metrics(real: Features, generated: Features) -> dict[str, float]:
    """The metrics of the histogram of predicted classes.

    `modes`: the number of classes with at least one image, and `class_kl`: KL(generated || real), in nats, both as in
    Lin et al. 2018 (arXiv:1712.04086), section 4. `class_coverage`: the share of the real classes that have at least
    a tenth of their real frequency among the generated images. `class_kl` is infinite if a generated class is not
    among the real ones.
    """
    expected, shown = (_shares(features) for features in (real, generated))
    in_real, in_generated = expected > 0, shown > 0
    return {
        "modes": float(in_generated.sum()),
        "class_coverage": (shown >= expected / 10)[in_real].double().mean().item(),
        "class_kl": (shown[in_generated] * (shown[in_generated] / expected[in_generated]).log()).sum().item(),
    }


def _shares(features: Features) -> Float[Tensor, " classes"]:
    assert features.logits is not None
    classes = features.logits.argmax(1)
    return torch.bincount(classes, minlength=features.logits.shape[1]).double() / len(classes)


class _Identity(nn.Module):
    """Takes the place of torchmetrics' network, since the features are computed already."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.num_features = dimensions

    def forward(self, features: Tensor) -> Tensor:
        return features


def _metric_on_features(kind: Callable[..., Metric], dimensions: int, **options: int) -> Any:
    """A torchmetrics metric on features, without synchronization over processes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*will save all extracted features in buffer.*")
        return kind(_Identity(dimensions), sync_on_compute=False, **options)


def _seeded(compute: Callable[[], Any], *key: int | str) -> Any:
    """Runs `compute` with torch's global generator seeded by `key`, and restores the generator."""
    with torch.random.fork_rng(devices=[]):
        rng.seed_defaults(torch.device("cpu"), *key)
        return compute()
