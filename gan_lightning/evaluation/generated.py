"""The features of generated images."""

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
    """Features of this process's shard of `num` samples, in eval mode.

    The shards, concatenated by rank, are the samples of a single process: a shard consists of whole blocks, so that
    each network call has the same batch as in a single process. The labels follow those of the training data.

    Args:
        model: The model that generates the samples.
        extractor: It maps images to features.
        num: The number of samples, over all processes together.
        seed: The seed of the latents and labels.
        raw: Whether to use the generator's own weights where there is an EMA of them.
        rank: The rank of this process.
        processes: The number of processes.

    Returns:
        The features; None if there are fewer blocks than processes and this process has none.
    """
    blocks = math.ceil(num / model.BLOCK)
    first, end = (model.BLOCK * (blocks * place // processes) for place in (rank, rank + 1))
    if first == end:
        return None
    z = model.fixed_z(num, seed)[first:end]
    condition = model.fixed_conditions(num, seed)
    samples = model.generate(z, None if condition is None else condition[first:end], raw)
    return extractor.of_blocks(samples, "evaluating", math.ceil(len(z) / model.BLOCK))
