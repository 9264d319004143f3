"""The metrics of a trained generator, measured several times."""

from __future__ import annotations

import statistics

from gan_lightning.evaluation.generated import generated_features, samples_seed
from gan_lightning.evaluation.intra_class import IntraClass
from gan_lightning.evaluation.path_length import PathLength
from gan_lightning.evaluation.reference import Reference
from gan_lightning.evaluation.report import EvaluationReport, summarized
from gan_lightning.models.sampling import LatentModel


def measure(
    model: LatentModel,
    reference: Reference,
    num: int,
    repeats: int,
    seed: int,
    raw: bool,
    intra_fid: int | None = None,
    ppl: int | None = None,
) -> EvaluationReport:
    """Computes the metrics `repeats` times, each time from `num` generated images.

    Args:
        model: The trained model.
        reference: The real images' features, and the extractor.
        num: The number of generated images in each repetition.
        repeats: The number of repetitions.
        seed: The seed of the latents.
        raw: Whether to measure the last weights instead of their average (EMA).
        intra_fid: The number of images to generate for each class, for the intra-class FID; None: it is left out.
        ppl: The number of ways for the perceptual path length; None: it is left out.

    Returns:
        The metrics, the real-data baseline, the protocol, and the metrics of each repetition.

    Raises:
        UserError: The intra-class FID or the path length does not fit the model or the data.
    """
    classes = None if intra_fid is None else IntraClass(model, reference, intra_fid)
    paths = None if ppl is None else PathLength(model, ppl, reference.data.image_shape)
    found: list[dict[str, float]] = []
    of_classes: list[list[float]] = []
    for repeat in range(repeats):
        latents = samples_seed(seed, repeat)
        features = generated_features(model, reference.extractor, num, latents, raw)
        assert features is not None
        found.append(reference.metrics(features, seed))
        if classes:
            of_classes.append(classes.fids(latents, raw))
            found[-1]["intra_fid"] = statistics.mean(of_classes[-1])
        if paths:
            found[-1]["ppl"] = paths.measure(latents, raw)
    baseline = reference.baseline(num, repeats)
    real = baseline["metrics"] if baseline else []
    parts: EvaluationReport = {}
    if classes:
        real_classes = classes.baseline()
        known = [value for value in real_classes if value is not None]
        real = [*real, {"intra_fid": statistics.mean(known) if len(known) == len(real_classes) else None}]
        parts["intra_fid"] = classes.report(of_classes, real_classes)
    options = {"intra_fid": intra_fid, "ppl": paths.protocol if paths else None}
    return {
        "metrics": summarized(found, real),
        "baseline": {name: value for name, value in baseline.items() if name != "metrics"} if baseline else None,
        "protocol": reference.protocol
        | {"num": num, "repeats": repeats, "seed": seed}
        | {name: value for name, value in options.items() if value is not None},
        "weights": "ema" if model.generator_ema is not None and not raw else "raw",
        "repeats": found,
        **parts,
    }
