"""Generate images from a checkpoint: `gan-generate RUN --num 64 --out grid.png`."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.functional import to_pil_image
from tqdm.auto import tqdm

from gan_lightning.cli.arguments import add_sampling, device_of, number_above_0, require_new_folder, whole_number_from
from gan_lightning.cli.errors import one_line_errors
from gan_lightning.data.images import to_uint8, to_unit_range
from gan_lightning.errors import UserError
from gan_lightning.files import atomic
from gan_lightning.models import GAN, interpolation, latents
from gan_lightning.training import checkpoint
from gan_lightning.visualization import grids, video

FPS = 25
"""The number of frames of a film per second."""
SECONDS_TO_NEXT = 2
"""About the time from one latent of a walk to the next."""


class Chosen(NamedTuple):
    """What images are generated from.

    Attributes:
        latents: Latents or styles, (num, width); of a walk, (frames, num, width).
        condition: Condition vectors (num, names), if the model is conditional.
        styles: Whether the latents are styles w.
    """

    latents: Tensor
    condition: Tensor | None
    styles: bool


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; exits with code 1 and one message on a user's mistake."""
    options = _parser().parse_args(arguments)
    with one_line_errors(options.out):
        out = Path(options.out)
        kind = _kind(options)
        model = checkpoint.load_model(checkpoint.locate(options.checkpoint)).to(device_of(options.device))
        chosen = _chosen(model, options)
        captions = _captions(model, chosen.condition) if kind in ("png", "film") else []
        if kind == "film":
            video.write_film(_frames(model, chosen, options.raw, captions), out, FPS)
        else:
            columns = options.interpolate or math.ceil(math.sqrt(len(chosen.latents)))
            _write(_generate(model, chosen, options.raw), out, kind, columns, captions)
    print(f"{len(chosen.latents)} {'frames' if kind == 'film' else 'images'} in {out}")


def _chosen(model: GAN, options: argparse.Namespace) -> Chosen:
    """Returns the latents and conditions of the images to generate; with a walk, of all frames of each image."""
    label, along = model.parse_label(options.label), options.interpolate or 0
    frames = max(1, round(options.walk * FPS)) if options.walk else 0
    stops = max(2, round(options.walk / SECONDS_TO_NEXT)) if options.walk else 2 if along else 1
    rows = -(-options.num // along) if along else options.num
    styles = latents.is_style_based(model.generator) and (stops > 1 or options.truncation is not None)
    ends = model.fixed_z(stops * rows, options.seed, None if styles else options.truncation)
    condition = model.fixed_conditions(rows, options.seed, label)
    if styles:
        of_ends = None if condition is None else condition.repeat_interleave(stops, 0)
        ends = latents.styles_of(model, ends, of_ends, options.raw, options.truncation)
    path = interpolation.straight_line if styles else interpolation.great_circle
    if frames:
        walks = [interpolation.closed_walk(each, frames, path) for each in ends.split(stops)]
        return Chosen(torch.stack(walks, 1), condition, styles)
    if along:
        ends = torch.cat([path(start, end, interpolation.fractions(along)) for start, end in ends.split(2)])
        condition = None if condition is None else condition.repeat_interleave(along, 0)
    return Chosen(ends, condition, styles)


def _generate(model: GAN, chosen: Chosen, raw: bool) -> Tensor:
    """Generates images, uint8 (num, channels, height, width), or points, unchanged; shows a progress bar."""
    total = math.ceil(len(chosen.latents) / model.BLOCK)
    made = model.generate(chosen.latents, chosen.condition, raw, chosen.styles)
    blocks = [block.cpu() for block in tqdm(made, total=total, desc="generating", leave=False)]
    return torch.cat([to_uint8(block) if block.ndim == 4 else block for block in blocks])


def _frames(model: GAN, chosen: Chosen, raw: bool, captions: Sequence[str]) -> Iterator[video.Frame]:
    """Yields the frames of a walk, a grid of all images each; shows a progress bar."""
    for z in tqdm(chosen.latents, desc="generating", unit="frame", leave=False):
        images = torch.cat([block.cpu() for block in model.generate(z, chosen.condition, raw, chosen.styles)])
        if images.ndim != 4:
            raise UserError("--walk: these samples are no images")
        yield np.asarray(to_pil_image(grids.grid(images, captions=captions)))


def _captions(model: GAN, condition: Tensor | None) -> list[str]:
    """Returns the labels of each image as text."""
    return [] if condition is None else [model.vocabulary.describe(row) for row in condition]  # type: ignore[union-attr]


def _write(
    samples: Tensor, out: Path, kind: Literal["npz", "png", "folder"], columns: int, captions: Sequence[str]
) -> None:
    """Writes an array (key `images`), one grid of all samples, or a folder of PNGs."""
    if kind == "npz":
        with atomic(out) as path, path.open("wb") as file:
            np.savez_compressed(file, images=samples.numpy())
    elif kind == "png":
        picture = grids.grid(to_unit_range(samples), columns, captions) if samples.ndim == 4 else grids.picture(samples)
        with atomic(out) as path:
            to_pil_image(picture).save(path, format="png")
    elif samples.ndim == 4:
        for number, image in enumerate(samples):
            with atomic(out / f"{number:06d}.png") as path:
                to_pil_image(image).save(path, format="png")
    else:
        raise UserError(f"--out {out}: these samples are no images; expected a name that ends in .png or .npz")


def _kind(options: argparse.Namespace) -> Literal["npz", "png", "folder", "film"]:
    out, path = options.out, Path(options.out)
    suffix = path.suffix.lower()
    if options.walk:
        if suffix not in video.FILM_FORMATS or options.interpolate:
            raise UserError(
                f"--walk: --out {out}: expected a name that ends in {', '.join(video.FILM_FORMATS)}, without "
                "--interpolate"
            )
        return "film"
    if path.is_dir() or out.endswith("/") or not suffix:
        require_new_folder(path)
        return "folder"
    if suffix not in (".png", ".npz"):
        raise UserError(f"--out {out}: expected a name that ends in .png or .npz, or a folder, with a / at the end")
    return "png" if suffix == ".png" else "npz"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gan-generate",
        description="Generates images from a trained generator. The same seed gives the same images, and image i does "
        "not depend on their number.",
    )
    parser.add_argument("checkpoint", help="a run folder, or a .ckpt file")
    parser.add_argument("--num", type=whole_number_from(1), default=64, help="number of images (default: 64)")
    parser.add_argument(
        "--out", default="grid.png", help="x.png: a grid; x.npz: uint8, N x C x H x W; otherwise a folder of PNGs"
    )
    parser.add_argument(
        "--label", "--tags", help="for a conditional model: a class, or tags such as 'blue hair, yellow eyes'"
    )
    parser.add_argument(
        "--interpolate",
        type=whole_number_from(1),
        metavar="STEPS",
        help="make rows of STEPS images, interpolated between two latents",
    )
    parser.add_argument(
        "--truncation",
        type=number_above_0,
        metavar="PSI",
        help="samples that are more typical and vary less: latents are drawn again until no entry exceeds PSI; of a "
        "style-based generator, w moves toward its mean, w_mean + PSI (w - w_mean)",
    )
    parser.add_argument(
        "--walk",
        type=number_above_0,
        metavar="SECONDS",
        help="make a film in which each of --num images walks from latent to latent, back to where it began; --out "
        "x.mp4, x.gif or x.webp",
    )
    add_sampling(parser)
    return parser


if __name__ == "__main__":
    main()
