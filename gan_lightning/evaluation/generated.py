"""The generated side of an evaluation."""

from __future__ import annotations

import math

from gan_lightning import rng
from gan_lightning.evaluation.features import Extractor, Features
from gan_lightning.models.sampling import LatentModel


def samples_seed(seed: int, repeat: int = 0) -> int:
    """The seed of an evaluation's samples, so that they are not those of a sample grid."""
    return rng.mix("evaluation", seed, repeat)


def generated_features(
    model: LatentModel,
    extractor: Extractor,
    num: int,
    seed: int,
    raw: bool = False,
    rank: int = 0,
    processes: int = 1,
) -> Features | None:
    """Features of this process's share of `num` samples, in eval mode; the shares in order are what one would draw.

    A share is of whole blocks, so that every network call is the one that a single process makes; None, where there
    are fewer blocks than processes and none is left. LabelVocabulary are those of training samples.
    """
    blocks = math.ceil(num / model.BLOCK)
    first, end = (model.BLOCK * (blocks * place // processes) for place in (rank, rank + 1))
    if first == end:
        return None
    z = model.fixed_z(num, seed)[first:end]
    condition = model.fixed_labels(num, seed)
    samples = model.generate(z, None if condition is None else condition[first:end], raw)
    return extractor.of_blocks(samples, "evaluating", math.ceil(len(z) / model.BLOCK))
