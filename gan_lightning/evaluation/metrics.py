"""The metrics of quality, on features."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance

from gan_lightning import rng
from gan_lightning.evaluation.features import Features
from gan_lightning.evaluation.manifold import manifold_metrics

METRICS = {
    "fid": "min",
    "kid": "min",
    "precision": "max",
    "recall": "max",
    "density": "max",
    "coverage": "max",
    "inception_score": "max",
    "modes": "max",
    "class_coverage": "max",
    "class_kl": "min",
}
"""Every metric, and which way is better."""
CLASS_METRICS = ("inception_score", "modes", "class_coverage", "class_kl")
"""Those that need an extractor which classifies."""
NEIGHBORS = 10_000
"""Images at most, of each side, among which neighbors are looked for."""


def metrics(
    real: Features, generated: Features, seed: int, real_radii: Sequence[Tensor] | None = None
) -> dict[str, float]:
    """Every metric that these features give; those of classes only where the extractor classifies.

    Args:
        real: of the reference images.
        generated: of the generated images.
        seed: keys the subsets that KID and the inception score draw.
        real_radii: `radii(among_neighbors(real), 3, 5)`, where they are known already.
    """
    found = {
        "fid": fid(real.vectors, generated.vectors),
        "kid": kid(real.vectors, generated.vectors, seed),
        **manifold_metrics(among_neighbors(real), among_neighbors(generated), real_radii),
    }
    if real.logits is not None and generated.logits is not None:
        found |= {"inception_score": inception_score(generated.logits, seed), **class_metrics(real, generated)}
    return found


def among_neighbors(features: Features) -> Float[Tensor, "n dimensions"]:
    """The vectors among which neighbors are looked for: all, or where there are many, the same part every time."""
    vectors = features.vectors
    if len(vectors) <= NEIGHBORS:
        return vectors
    return vectors[rng.permutation(len(vectors), "neighbours")[:NEIGHBORS]]


def fid(real: Float[Tensor, "n dimensions"], generated: Float[Tensor, "m dimensions"]) -> float:
    """Fréchet distance of two normal distributions: Heusel et al. 2017 (arXiv:1706.08500), eq. 6."""
    metric = _on_features(FrechetInceptionDistance, real.shape[1])
    metric.update(real.double(), real=True)
    metric.update(generated.double(), real=False)
    return metric.compute().item()


def kid(real: Float[Tensor, "n dimensions"], generated: Float[Tensor, "m dimensions"], seed: int) -> float:
    """Unbiased squared MMD, cubic kernel: Bińkowski et al. 2018 (arXiv:1801.01401), eq. 4; mean of 50 subsets."""
    size = min(1000, len(real), len(generated))
    metric = _on_features(KernelInceptionDistance, real.shape[1], subsets=50, subset_size=size)
    metric.update(real, real=True)
    metric.update(generated, real=False)
    return _keyed(metric.compute, "kid", seed)[0].item()


def inception_score(logits: Float[Tensor, "n classes"], seed: int) -> float:
    """Exp of the mean KL of p(class | image) from p(class): Salimans et al. 2016 (arXiv:1606.03498), section 4."""
    metric = _on_features(InceptionScore, logits.shape[1], splits=min(10, len(logits)))
    metric.update(logits.double())  # probabilities that float32 rounds to 0 would make it NaN
    return _keyed(metric.compute, "inception_score", seed)[0].item()


def class_metrics(real: Features, generated: Features) -> dict[str, float]:
    """What the histogram of the likeliest classes tells.

    `modes`: classes with an image at least, and `class_kl`: KL(generated || real), nats, both as in Lin et al. 2018
    (arXiv:1712.04086), section 4. `class_coverage`: the share of the real classes of which the generated images show
    at least a tenth as many as they should. `class_kl` is infinite where a class occurs that is not among the real.
    """
    expected, shown = (_shares(features) for features in (real, generated))
    there, drawn = expected > 0, shown > 0
    return {
        "modes": float(drawn.sum()),
        "class_coverage": (shown >= expected / 10)[there].double().mean().item(),
        "class_kl": (shown[drawn] * (shown[drawn] / expected[drawn]).log()).sum().item(),
    }


def _shares(features: Features) -> Float[Tensor, " classes"]:
    assert features.logits is not None
    classes = features.logits.argmax(1)
    return torch.bincount(classes, minlength=features.logits.shape[1]).double() / len(classes)


class _AsGiven(nn.Module):
    """Stands where torchmetrics expects a network: features are computed already."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.num_features = dimensions

    def forward(self, features: Tensor) -> Tensor:
        return features


def _on_features(kind: Callable[..., Metric], dimensions: int, **options: int) -> Any:
    """A metric of this process alone."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*will save all extracted features in buffer.*")
        return kind(_AsGiven(dimensions), sync_on_compute=False, **options)


def _keyed(compute: Callable[[], Any], *key: int | str) -> Any:
    """Computes with a seed of its own what draws from torch's global generator, and leaves that as it was."""
    with torch.random.fork_rng(devices=[]):
        rng.seed_defaults(torch.device("cpu"), *key)
        return compute()
