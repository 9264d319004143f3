"""The real images of an evaluation: their features, computed once and cached, and the real-data baseline."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any, NamedTuple, get_args

import torch
from torch import Tensor
from tqdm.auto import tqdm

from gan_lightning import rng
from gan_lightning.data.foreign import images_of
from gan_lightning.data.images import Images, Labels, Split, fit_to
from gan_lightning.errors import NoSuchSplit
from gan_lightning.evaluation.cache import cached, cached_digest
from gan_lightning.evaluation.features import Extractor, Features, join
from gan_lightning.evaluation.manifold import radii
from gan_lightning.evaluation.metrics import among_neighbors, metrics
from gan_lightning.metric_names import CLASS_METRICS, METRICS
from gan_lightning.tensor_file import digest_of


class OtherSplit(NamedTuple):
    """Real images that stand in for generated ones."""

    name: Split
    images: Images
    labels: Labels
    digest: str
    """The hash of the images."""


class Reference:
    """The real images that generated images are compared with.

    Args:
        extractor: It maps images to features.
        data: A data module that yields images; it need not be an `ImageData`.
        split: The split to compare with: test, or train.
        device: The device of the extractor; the metrics are computed there, too, or on the CPU where it has no float64.

    Raises:
        UserError: The data has no images, or the extractor's network is not available.
    """

    def __init__(self, extractor: Extractor, data: Any, split: Split, device: torch.device | str = "cpu") -> None:
        data = images_of(data)
        extractor.prepare(data)
        extractor.to(device)
        self.extractor = extractor
        self.data = data
        self.split: Split = split
        images = data.split(split)[0]
        self.images_digest = cached_digest(lambda: digest_of(images), images)
        found = cached_features(extractor, images, self.images_digest, f"features of {len(images):,} real images")
        self.device = torch.device("cpu" if torch.device(device).type == "mps" else device)
        self.features = found.to(self.device)

    @property
    def protocol(self) -> dict[str, Any]:
        """Everything that the metrics depend on, except the generated images."""
        return {
            "extractor": self.extractor.name,
            "extractor_hash": self.extractor.digest,
            "resize": self.extractor.resize,
            "data": self.data.title,
            "image_shape": list(self.data.image_shape),
            "split": self.split,
            "real_images": len(self.features),
            "real_hash": self.images_digest,
        }

    @property
    def metric_names(self) -> list[str]:
        """The names of the metrics that are computed."""
        absent = CLASS_METRICS if self.features.logits is None else ()
        return [
            name for name in METRICS if name not in absent and (name != "sfid" or self.features.spatial is not None)
        ]

    def metrics(self, generated: Features, seed: int) -> dict[str, float]:
        """Every metric of generated images; `seed` is that of KID's and the inception score's subsets."""
        return metrics(self.features, generated.to(self.device), seed, self._radii)

    @cached_property
    def _radii(self) -> list[Tensor]:
        return radii(among_neighbors(self.features), 3, 5)

    def other_split(self) -> OtherSplit | None:
        """The split that is not compared with, for baselines; None if the data has only one."""
        (name,) = set(get_args(Split)) - {self.split}
        try:
            images, labels = self.data.of_classes(name)  # all, even if data.limit is set
        except NoSuchSplit:
            return None
        images = fit_to(images, self.data.image_shape)
        return OtherSplit(name, images, labels, cached_digest(lambda: digest_of(images), images))

    def baseline(self, num: int, repeats: int) -> dict[str, Any] | None:
        """The real-data baseline: the metrics of real images of the other split in place of generated ones. Cached.

        Args:
            num: The number of images per repeat.
            repeats: The number of repeats, each with a new random subset; one, if there are no more than `num` images.

        Returns:
            `metrics`: one dictionary per repeat; `images`: the number of images per repeat; `hash`: the hash of the
            other split. None if there is no other split.
        """
        other = self.other_split()
        if other is None:
            return None
        images = other.images
        facts = f"{self.extractor.digest} {self.images_digest} {other.digest} {num} {repeats}"
        draws = repeats if num < len(images) else 1

        def measure() -> tuple[dict[str, Tensor], dict[str, str]]:
            found = []
            for repeat in tqdm(range(draws), desc=f"{other.name} against {self.split}", leave=False, disable=None):
                rows = rng.permutation(len(images), "floor", repeat)[:num]
                found.append(self.metrics(self.extractor(images[rows]), repeat))
            return {}, {"metrics": json.dumps(found)}

        _, texts = cached(f"baseline_{digest_of(facts.encode())}", measure)
        return {"metrics": json.loads(texts["metrics"]), "images": min(num, len(images)), "hash": other.digest}


def cached_features(extractor: Extractor, images: Images, images_digest: str, title: str) -> Features:
    """Features of images, from the cache if it has them."""

    def extract() -> tuple[dict[str, Tensor], dict[str, str]]:
        batches = tqdm(images.split(extractor.BATCH), desc=title, leave=False, disable=None, delay=1)
        return join(extractor(batch) for batch in batches).tensors(), {}

    stored, _ = cached(f"features_{digest_of(f'{extractor.digest} {images_digest}'.encode())}", extract)
    return Features(**stored)
