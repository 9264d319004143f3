"""Measure a trained generator: `gan-evaluate RUN --num 10000 --split test`."""

from __future__ import annotations

import argparse
import shlex
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torchvision.transforms.functional import to_pil_image

from gan_lightning.callbacks import report as report_page
from gan_lightning.callbacks.report import errors_as_warnings
from gan_lightning.cli.arguments import add_sampling, device_of, whole_number_from
from gan_lightning.cli.errors import one_line_errors
from gan_lightning.config.arguments import argument_problems
from gan_lightning.config.instantiate import build, require_none, target_nodes
from gan_lightning.config.rules import value_problems
from gan_lightning.data import ImageData
from gan_lightning.data.foreign import images_of
from gan_lightning.data.images import Split, to_uint8, to_unit_range
from gan_lightning.data.known_folders import is_known
from gan_lightning.errors import NoSuchSplit, UserError
from gan_lightning.evaluation import Classifier, DINOv2, Inception, Random, memorization, report
from gan_lightning.evaluation.features import Extractor
from gan_lightning.evaluation.generated import samples_seed
from gan_lightning.evaluation.inception import Resizing
from gan_lightning.evaluation.measure import measure
from gan_lightning.evaluation.reference import Reference
from gan_lightning.evaluation.report import EvaluationReport
from gan_lightning.files import atomic, run_folder_of, write_json
from gan_lightning.models import GAN
from gan_lightning.models.rebuild import rebuild
from gan_lightning.specs import unknown_parts
from gan_lightning.training import checkpoint
from gan_lightning.training.commands import next_commands
from gan_lightning.training.run_folder import RunFolder
from gan_lightning.visualization import grids

PAIRS = 20
"""The number of columns of the memorization picture."""
QUERIES = 1000
"""The number of generated images whose nearest real images are searched."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; exits with code 1 and one message on a user's mistake."""
    parser = _parser()
    options = parser.parse_args(arguments)
    with one_line_errors(options.out):
        if options.compare:
            print(report.comparison(options.compare))
        elif options.checkpoint is None:
            parser.error("expected a run folder or a checkpoint, or --compare RUN RUN ...")
        else:
            settings = {name: value for name, value in vars(options).items() if name not in ("checkpoint", "compare")}
            found = evaluate(options.checkpoint, **settings)
            print(_closing_message(found, report.path_of(options.out or found["checkpoint"]["path"])))


def evaluate(
    place: str | Path,
    *,
    num: int = 10_000,
    repeats: int = 3,
    split: Split = "test",
    extractor: Literal["classifier", "inception", "dinov2", "random"] = "classifier",
    weights: str | None = None,
    resizing: Resizing | None = None,
    sfid: bool = False,
    seed: int = 0,
    raw: bool = False,
    intra_fid: int | None = None,
    ppl: int | None = None,
    root: str | None = None,
    download: bool = False,
    out: str | Path | None = None,
    device: str = "cpu",
) -> EvaluationReport:
    """Measures a trained generator against real images; writes the evaluation report and returns it.

    Args:
        place: A run folder or a checkpoint.
        num: The number of generated images in each repetition, at least 2.
        repeats: The number of repetitions, each with other latents, for the standard deviation.
        split: The real images to compare with, "test" or "train".
        extractor: The feature extractor: a small classifier of this data, Inception-v3, DINOv2, or an untrained one.
        weights: The file of Inception-v3's or DINOv2's weights; None: torch-fidelity's of Inception-v3, which are
            downloaded once.
        resizing: How Inception-v3 resizes images: "tensorflow", as in most publications, which None stands for, or
            "clean", as in clean-fid.
        sfid: Whether to compute sFID, on spatial features of Inception-v3.
        seed: The seed of the latents.
        raw: Whether to measure the last weights instead of their average (EMA).
        intra_fid: The number of images to generate for each class, for the intra-class FID, which needs a model that is
            conditional on classes; None: it is left out.
        ppl: The number of ways for the perceptual path length, which needs VGG16's weights; None: it is left out.
        root: The folder of the data; None: the one of the checkpoint, if a run of yours has trained on it before.
        download: Whether data that is missing is downloaded into that folder.
        out: The path of the evaluation report, x.json; None: evaluation.json in the run folder.
        device: cpu, cuda, cuda:1 or mps.

    Returns:
        The evaluation report: metrics, real-data baseline, protocol and memorization; the FIDs of the classes.

    Raises:
        UserError: There is no such checkpoint or device, the data has no images of that split, or only the checkpoint,
            which may come from elsewhere, names the folder of the data.
        FloatingPointError: The generator's samples or the images' features are not finite.
    """
    started = time.monotonic()
    path = checkpoint.locate(place)
    saved = checkpoint.read(path)
    torch_device, features = device_of(device), _extractor(extractor, weights, resizing, sfid)
    model = rebuild(saved, path).to(torch_device)
    data = _data(saved, path, root, download)
    found = measure(model, Reference(features, data, split, torch_device), num, repeats, seed, raw, intra_fid, ppl)
    written = report.path_of(out or path)
    pictures = written.with_suffix(".png")
    found |= {
        "checkpoint": {"path": str(path.absolute()), "step": saved["global_step"]},
        "memorization": _memorization(model, data, min(num, QUERIES), seed, raw, pictures),
        "seconds": round(time.monotonic() - started, 1),
        "versions": {name: version(name) for name in ("gan_lightning", "torch", "torchmetrics")},
    }
    write_json(found, written)
    folder = RunFolder(run_folder_of(path))
    if folder.report.exists() and written == report.path_of(folder.path):
        with errors_as_warnings():
            _write_again(folder, data)
    return found


def _write_again(folder: RunFolder, data: ImageData) -> None:
    """Writes the report of a run again, with its quality."""
    summary, config = folder.read_summary(), folder.read_config()
    commands = next_commands(folder.path, config, summary, data)
    commands.pop("evaluate", None)
    report_page.write(folder.path, summary, commands)


def _closing_message(found: EvaluationReport, written: Path) -> str:
    memorization = [report.memorization_line(found["memorization"])] if found["memorization"] else []
    classes = [report.intra_class_line(found["intra_fid"])] if "intra_fid" in found else []
    lines = [*classes, *memorization, f"evaluation report in {written}, {found['seconds']} s"]
    return "\n".join([report.comparison([str(written)]), *lines])


def _extractor(name: str, weights: str | None, resizing: Resizing | None, sfid: bool) -> Extractor:
    if name == "inception":
        return Inception(weights, resizing=resizing or "tensorflow", spatial=sfid)
    for option, given in ((f"--resizing {resizing}", resizing), ("--sfid", sfid)):
        if given:
            raise UserError(f"{option}: belongs to --extractor inception, not {name}")
    if name == "dinov2":
        return DINOv2(weights)
    if weights:
        raise UserError(f"--weights {weights}: belongs to --extractor inception or dinov2, not {name}")
    return Classifier() if name == "classifier" else Random()


def _data(saved: checkpoint.Checkpoint, path: Path, root: str | None, download: bool) -> ImageData:
    """Returns the images that a checkpoint was trained on; `root` replaces the folder of its data."""
    spec = saved.get("data")
    if not isinstance(spec, dict) or "_target_" not in spec or unknown_parts(spec):
        raise UserError(
            f"{path} does not say what data it was trained on; expected a data module of gan_lightning.data"
        )
    if root is not None:
        if "root" not in spec:
            raise UserError(f"--root {root}: {spec['_target_']} needs no files")
        spec = spec | {"root": root}
        if "revision" in spec and Path(root).exists():  # revisions are of the hub
            spec["revision"] = None
    elif "root" in spec and not is_known(spec["root"]):  # the report shows its pictures
        raise UserError(
            f"{path} names the folder {spec['root']}, on whose data no run of yours has trained. To compare with it, "
            f"add --root {shlex.quote(str(spec['root']))}"
        )
    require_none(p for key, node in target_nodes(spec, "data") for p in argument_problems(key, node))
    require_none(value_problems(spec, "data"))
    data = build({"data": spec}, "data")
    if "download" in vars(data):
        data.download = download
    try:
        data.prepare_data()
    except UserError as error:
        raise UserError(f"{error}. Options of gan-evaluate: --root FOLDER, --download") from error
    return images_of(data)


def _memorization(model: GAN, data: ImageData, count: int, seed: int, raw: bool, out: Path) -> dict[str, Any] | None:
    """Returns memorization metrics; writes a picture of generated images above their nearest training images."""
    try:
        held_out = data.split("test")[0]
    except NoSuchSplit:
        return None
    train = data.split("train")[0]
    blocks = model.sample_blocks(count, samples_seed(seed), raw)
    generated = torch.cat([to_uint8(block).cpu() for block in blocks])
    report = memorization.report(generated, train, held_out, seed)
    pairs = report.distances.argsort()[:: max(1, count // PAIRS)][:PAIRS]
    rows = torch.cat([generated[pairs], train[report.neighbors[pairs]]])
    with atomic(out) as path:
        captions = [text for text in ("generated", "nearest training image") for _ in pairs]
        picture = grids.grid(to_unit_range(rows), len(pairs), captions)
        to_pil_image(picture).save(path, format="png")
    return report.metrics | {"picture": out.name}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gan-evaluate",
        description="Measures a trained generator against real images and writes an evaluation report, "
        "evaluation.json, with the protocol of its metrics; or compares evaluation reports.",
    )
    parser.add_argument("checkpoint", nargs="?", help="a run folder, or a .ckpt file")
    parser.add_argument("--compare", nargs="+", metavar="RUN", help="print a table of evaluated runs instead")
    # At least two: one image has no variance.
    parser.add_argument("--num", type=whole_number_from(2), default=10_000, help="generated images (default: 10000)")
    parser.add_argument(
        "--repeats", type=whole_number_from(1), default=3, help="repetitions with other latents, for the ± (default: 3)"
    )
    parser.add_argument("--split", choices=("test", "train"), default="test", help="real images (default: test)")
    parser.add_argument(
        "--extractor",
        choices=("classifier", "inception", "dinov2", "random"),
        default="classifier",
        help="feature extractor: a small classifier of this data (default), Inception-v3, DINOv2, or an untrained one",
    )
    parser.add_argument(
        "--weights", help="file of Inception-v3's weights (default: torch-fidelity's, downloaded once), or DINOv2's"
    )
    parser.add_argument(
        "--resizing",
        choices=get_args(Resizing),
        help="how Inception-v3 resizes: tensorflow, as in most publications (default), or clean, as in clean-fid",
    )
    parser.add_argument("--sfid", action="store_true", help="also sFID, on spatial features of Inception-v3")
    add_sampling(parser)
    parser.add_argument(
        "--intra-fid",
        type=whole_number_from(2),
        metavar="NUM",
        help="also the intra-class FID, from NUM generated images of each class",
    )
    parser.add_argument(
        "--ppl", type=whole_number_from(2), metavar="NUM", help="also the perceptual path length, from NUM short ways"
    )
    parser.add_argument(
        "--root", help="folder of the data (default: the checkpoint's, if a run of yours has trained on it)"
    )
    parser.add_argument("--download", action="store_true", help="download data that is missing in that folder")
    parser.add_argument(
        "--out", help="path of the evaluation report, x.json (default: evaluation.json in the run folder)"
    )
    return parser


if __name__ == "__main__":
    main()
