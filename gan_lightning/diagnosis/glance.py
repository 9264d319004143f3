"""A glance at generated samples: how far they are from the data, how diverse, how new, in a space of a few numbers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from lightning import LightningDataModule
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from gan_lightning import rng
from gan_lightning.data import ImageData, SyntheticData
from gan_lightning.data.images import Split, fit_to, to_unit_range
from gan_lightning.evaluation.manifold import radii

NUM = 256
"""The number of samples of each kind: training, held-out, and generated ones."""
SOME = 128
"""The number of samples of each kind that D sees, and of those that G's own weights generate."""
SIDE = 8
"""The height and width to which pictures are averaged."""
NEIGHBORS = 5
"""The k of the balls of coverage, as of `gan_lightning.evaluation.manifold`."""
Points = Float[Tensor, "n numbers"]


@dataclass(frozen=True)
class RealSamples:
    """Real samples as the model sees them, (n, *shape) in [-1, 1], and their labels; None: they have none."""

    samples: Tensor
    labels: Tensor | None

    def first(self, count: int) -> RealSamples:
        """A copy of the first ones, at most `count`."""
        labels = None if self.labels is None else self.labels[:count].clone()
        return RealSamples(self.samples[:count].clone(), labels)


class Glance:
    """Real samples to which generated ones are compared.

    Args:
        train: Training samples.
        held_out: Samples that are not trained on; None: there are none.

    Attributes:
        train: The first `SOME` of them.
        held_out: The first `SOME` of them, if there are any.
    """

    def __init__(self, train: RealSamples, held_out: RealSamples | None) -> None:
        self.train = train.first(SOME)
        self.held_out = held_out and held_out.first(SOME)
        self._points = to_points(train.samples)
        self._classes = train.labels if train.labels is not None and train.labels.ndim == 1 else None
        self._within = _mean_distance(self._points)
        self._scale = self._within or 1.0  # of data that is one point, the distances themselves are measured
        (self._radii,) = radii(self._points, NEIGHBORS)
        self._novelty = torch.nan
        if held_out is not None:
            points = to_points(held_out.samples)
            self._novelty = torch.cdist(points, self._points).min(1).values.median().item() or torch.nan

    @classmethod
    def of(cls, data: LightningDataModule | None) -> Glance | None:
        """Takes `NUM` samples of a data module of ours, always the same ones; None for another data module."""
        if isinstance(data, ImageData):
            held_out = _chosen(data, "test") if data.has_test() else None
            return cls(_chosen(data, "train"), held_out if held_out and len(held_out.samples) else None)
        if isinstance(data, SyntheticData):
            train, held_out = (
                RealSamples(data.sample(NUM, rng.generator("glance", split)), None) for split in ("train", "test")
            )
            return cls(train, held_out)
        return None

    def compare(self, generated: Points) -> dict[str, float]:
        """Compares generated samples, as of `to_points`, with real ones.

        Returns:
            `spread`: the mean distance of two generated samples, over that of two real ones. `distance`: the energy
            distance, 2 E|x - y| - E|x - x'| - E|y - y'|, over E|x - x'|: Székely and Rizzo 2013. `coverage`: the share
            of real samples with a generated one nearby: Naeem et al. 2020 (arXiv:2002.09797), eq. 4. `missing`: the
            share of the data whose classes have less than a tenth of their share among the nearest real samples of the
            generated ones; NaN without classes. `novelty`: the median distance of a generated sample to the nearest
            training sample, over that of a held-out sample; NaN without held-out samples. Of data that is one point,
            spread and coverage are NaN.
        """
        across = torch.cdist(self._points, generated)
        within = _mean_distance(generated)
        return {
            "spread": within / self._scale if self._within else torch.nan,
            "distance": (2 * across.mean().item() - within - self._within) / self._scale,
            "coverage": (across.min(1).values <= self._radii).double().mean().item() if self._within else torch.nan,
            "missing": self._missing(across.argmin(0)),
            "novelty": across.min(0).values.median().item() / self._novelty,
        }

    def moved(self, before: Points, after: Points) -> float:
        """The mean distance between two samples of the same latents, over that of two real samples."""
        return (before - after).norm(dim=1).mean().item() / self._scale

    def _missing(self, nearest: Int64[Tensor, " n"]) -> float:
        if self._classes is None or self._classes.min() < 0:
            return torch.nan
        both = (self._classes, self._classes[nearest])
        counts = [torch.bincount(each, minlength=int(self._classes.max()) + 1) for each in both]
        real, generated = (each / each.sum() for each in counts)
        return real[generated < real / 10].sum().item()


def to_points(samples: Float[Tensor, "n *shape"]) -> Points:
    """Averages pictures to `SIDE` x `SIDE` pixels and turns samples into rows, on the CPU."""
    if samples.ndim == 4:
        samples = adaptive_avg_pool2d(samples.float(), SIDE)
    return samples.flatten(1).float().cpu()


def _chosen(data: ImageData, split: Split) -> RealSamples:
    """Samples of a split at random places; only these are converted to the model's size."""
    images, labels = data.of_classes(split)
    if split == "train":
        images, labels = images[: data.limit], labels[: data.limit]
    places = rng.permutation(len(images), "glance", split)[:NUM]
    return RealSamples(to_unit_range(fit_to(images[places], data.image_shape)), labels[places])


def _mean_distance(points: Points) -> float:
    """The mean distance of two different points."""
    return torch.pdist(points).mean().item() if len(points) > 1 else 0.0
