"""Measure a trained generator: `gan-evaluate RUN --num 10000 --split test`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torchvision.transforms.functional import to_pil_image

from gan_lightning.cli.generate import device_of, whole_number_from
from gan_lightning.config import check
from gan_lightning.data import ImageData
from gan_lightning.data.images import to_uint8, to_unit_range
from gan_lightning.errors import NoSuchSplit, UserError
from gan_lightning.evaluation import Classifier, Inception, Random, memorization, report
from gan_lightning.evaluation.features import Extractor
from gan_lightning.evaluation.generated import generated_features, samples_seed
from gan_lightning.evaluation.reference import Reference
from gan_lightning.evaluation.report import EvaluationReport
from gan_lightning.files import atomic, write_json
from gan_lightning.models import GAN
from gan_lightning.models.rebuild import rebuild
from gan_lightning.training import checkpoint
from gan_lightning.visualization import grids

PAIRS = 20
"""Columns of the memorization picture."""
QUERIES = 1000
"""Generated images whose neighbors are looked for."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; exits with code 1 and one message on a user's mistake."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        if options.compare:
            print(report.comparison(options.compare))
        elif options.checkpoint is None:
            parser.error("expected a run folder or a checkpoint, or --compare RUN RUN ...")
        else:
            _evaluate(options)
    except UserError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: --out {options.out}: {error}")


def _evaluate(options: argparse.Namespace) -> None:
    started = time.monotonic()
    path = checkpoint.locate(options.checkpoint)
    saved = checkpoint.read(path)
    device = device_of(options.device)
    extractor = _extractor(options)
    model = rebuild(saved, path).to(device)
    data = _data(saved["config"]["data"], options.root)
    reference = Reference(extractor, data, options.split, device)
    found = measure(model, reference, options.num, options.repeats, options.seed, options.raw)
    out = report.path_of(options.out or path)
    found |= {
        "checkpoint": {"path": str(path.absolute()), "step": saved["global_step"]},
        "memorization": _memorization(model, data, options, out.with_suffix(".png")),
        "seconds": round(time.monotonic() - started, 1),
        "versions": {name: version(name) for name in ("gan_lightning", "torch", "torchmetrics")},
    }
    write_json(found, out)
    print(report.comparison([str(out)]))
    if found["memorization"]:
        print(_in_words(found["memorization"]))
    print(f"evaluation report in {out}, {found['seconds']} s")


def _in_words(report: dict[str, Any]) -> str:
    verdict = "it repeats training images" if report["flagged"] else "no sign of memorization"
    share = report["of_them_training_images"] / max(report["nearest_real_images"], 1)
    return (
        f"{verdict}: of {report['nearest_real_images']} real images that lie nearest, {share:.1%} are training images, "
        f"chance {report['expected_by_chance']:.1%}; distance ratio {report['distance_ratio']:.3f}"
    )


def measure(model: GAN, reference: Reference, num: int, repeats: int, seed: int, raw: bool) -> EvaluationReport:
    """Metrics over `repeats` draws of `num` images each, beside the baseline, and the protocol that gave them."""
    found = []
    for repeat in range(repeats):
        features = generated_features(model, reference.extractor, num, samples_seed(seed, repeat), raw)
        assert features is not None
        found.append(reference.metrics(features, seed))
    baseline = reference.baseline(num, repeats)
    return {
        "metrics": report.summarized(found, baseline["metrics"] if baseline else []),
        "baseline": {name: fact for name, fact in baseline.items() if name != "metrics"} if baseline else None,
        "protocol": reference.protocol | {"num": num, "repeats": repeats, "seed": seed},
        "weights": "ema" if model.generator_ema is not None and not raw else "raw",
        "repeats": found,
    }


def _extractor(options: argparse.Namespace) -> Extractor:
    if options.weights and options.extractor != "inception":
        raise UserError(f"--weights {options.weights}: belongs to --extractor inception, not {options.extractor}")
    if options.extractor == "inception":
        return Inception(options.weights)
    return Classifier() if options.extractor == "classifier" else Random()


def _data(section: dict[str, Any], root: str | None) -> Any:
    """The data of the run, wherever it lies now."""
    if root is not None:
        if "root" not in section:
            raise UserError(f"--root {root}: {section['_target_']} needs no files")
        section = section | {"root": root}
    data = check.build({"data": section}, "data")
    data.prepare_data()
    return data


def _memorization(model: GAN, data: ImageData, options: argparse.Namespace, out: Path) -> dict[str, Any] | None:
    """Metrics, and a picture: generated images, below each its nearest training image, the nearest pairs first."""
    try:
        held_out = data.split("test")[0]
    except NoSuchSplit:
        return None
    train = data.split("train")[0]
    count = min(options.num, QUERIES)
    blocks = model.sample_blocks(count, samples_seed(options.seed), options.raw)
    generated = torch.cat([to_uint8(block).cpu() for block in blocks])
    report = memorization.report(generated, train, held_out, options.seed)
    pairs = report.distances.argsort()[:: max(1, count // PAIRS)][:PAIRS]
    rows = torch.cat([generated[pairs], train[report.neighbors[pairs]]])
    with atomic(out) as path:
        picture = grids.grid(to_unit_range(rows), len(pairs), ["generated", "nearest training image"])
        to_pil_image(picture).save(path, format="png")
    return report.metrics | {"picture": out.name}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gan-evaluate",
        description="Measures a trained generator against real images and writes an evaluation report, evaluation.json, with "
        "all that decides on its metrics; or compares evaluation reports.",
    )
    parser.add_argument("checkpoint", nargs="?", help="a run folder, or a .ckpt file")
    parser.add_argument("--compare", nargs="+", metavar="RUN", help="a table of evaluated runs, instead")
    # From two, for one image has no spread.
    parser.add_argument("--num", type=whole_number_from(2), default=10_000, help="generated images (default: 10000)")
    parser.add_argument(
        "--repeats", type=whole_number_from(1), default=3, help="draws of as many images, for the ± (default: 3)"
    )
    parser.add_argument("--split", choices=("test", "train"), default="test", help="real images (default: test)")
    parser.add_argument(
        "--extractor",
        choices=("classifier", "inception", "random"),
        default="classifier",
        help="of features: a small classifier of this data (default), Inception-v3, or an untrained network",
    )
    parser.add_argument("--weights", help="of Inception-v3, a file; else torch-fidelity's are downloaded once")
    parser.add_argument("--seed", type=int, default=0, help="of the latents (default: 0)")
    parser.add_argument("--raw", action="store_true", help="the last weights, where the default is their average (EMA)")
    parser.add_argument("--root", help="where the data lies, if it is not where it was in training")
    parser.add_argument("--out", help="the evaluation report, x.json (default: evaluation.json in the run folder)")
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1, mps")
    return parser


if __name__ == "__main__":
    main()
