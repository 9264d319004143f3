"""Intra-class FID: the FID of each class of a conditional model."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from tqdm.auto import tqdm

from gan_lightning import rng
from gan_lightning.errors import UserError
from gan_lightning.evaluation.cache import cached
from gan_lightning.evaluation.metrics import fid
from gan_lightning.evaluation.reference import Reference
from gan_lightning.evaluation.report import mean_and_deviation
from gan_lightning.models.sampling import LatentModel
from gan_lightning.tensor_file import digest_of


class IntraClass:
    """FIDs between a class's real images and images that are generated for it.

    Their mean over the classes is the intra-class FID of Miyato & Koyama 2018 (arXiv:1802.05637), section 4: unlike
    FID, it sees a class whose images all look alike, and a class that is generated as another.

    Args:
        model: A model that is conditional on classes.
        reference: The real images.
        num: The number of images that are generated for each class, at least 2.

    Raises:
        UserError: The model has no classes, or a class has fewer than 2 real images.
    """

    def __init__(self, model: LatentModel, reference: Reference, num: int) -> None:
        self.model = model
        self.reference = reference
        self.num = num
        if model.vocabulary is None:
            raise UserError(
                "--intra-fid: this model was trained without labels. Expected a conditional model, such as model=cgan"
            )
        labels = reference.data.split(reference.split)[1]
        if labels.ndim == 2:
            raise UserError(f"--intra-fid: {reference.data.title} has tags, not classes: an image can have several")
        self.names = {number: model.vocabulary.names[number] for number in _trained(model.vocabulary.examples)}
        rows = labels.to(reference.device)
        self.real = {number: reference.features.vectors[rows == number] for number in self.names}
        few = [f"{self.names[number]} ({len(vectors)})" for number, vectors in self.real.items() if len(vectors) < 2]
        if few:
            raise UserError(
                f"--intra-fid: expected 2 or more images of each class in the {reference.split} split of "
                f"{reference.data.title}, got fewer of: {', '.join(few)}. Choose another --split, or no --intra-fid"
            )

    def fids(self, seed: int, raw: bool) -> list[float]:
        """The FID of each class; `seed` is that of the latents, and `raw` asks for the last weights, not the EMA."""
        conditions = torch.eye(len(self.model.vocabulary.names))  # type: ignore[union-attr]
        extractor, blocks = self.reference.extractor, math.ceil(self.num / self.model.BLOCK)
        found = []
        for number, name in self.names.items():
            samples = self.model.sample_blocks(self.num, rng.mix("class", seed, number), raw, conditions[number])
            features = extractor.of_blocks(samples, f"evaluating class {name}", blocks)
            found.append(fid(self.real[number], features.vectors.to(self.reference.device)))
        return found

    def baseline(self) -> list[float | None]:
        """The FIDs of up to `num` real images of the other split, in the order of the classes; None: there are none."""
        other = self.reference.other_split()
        if other is None:
            return [None] * len(self.names)
        facts = [self.reference.extractor.digest, self.reference.images_digest, other.digest, self.num, [*self.names]]
        labels = self.reference.data.split(self.reference.split)[1]
        key = digest_of(repr(facts).encode(), labels, other.labels)

        def measure() -> tuple[dict[str, Tensor], dict[str, str]]:
            found: list[float | None] = []
            for number in tqdm(self.names, desc=f"classes of {other.name}", leave=False, disable=None):
                rows = (other.labels == number).nonzero().flatten()
                if len(rows) < 2:
                    found.append(None)
                    continue
                images = other.images[rows[rng.permutation(len(rows), "class baseline")[: self.num]]]
                vectors = self.reference.extractor(images).vectors
                found.append(fid(self.real[number], vectors.to(self.reference.device)))
            return {}, {"fids": json.dumps(found)}

        return json.loads(cached(f"baseline_{key}", measure)[1]["fids"])

    def report(self, repeats: Sequence[Sequence[float]], baseline: Sequence[float | None]) -> dict[str, Any]:
        """The part of the evaluation report: each class's FID with its standard deviation over the repeats."""
        return {
            "images": self.num,
            "dimensions": self.reference.features.vectors.shape[1],
            "classes": {
                name: {
                    **mean_and_deviation(of_class, "value", "std"),
                    "baseline": of_real,
                    "real_images": len(self.real[number]),
                }
                for (number, name), of_class, of_real in zip(
                    self.names.items(), zip(*repeats, strict=True), baseline, strict=True
                )
            },
        }


def _trained(examples: Tensor) -> list[int]:
    """The numbers of the classes that the training data has."""
    return examples.nonzero()[:, 1].unique().tolist()
