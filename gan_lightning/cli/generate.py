"""Generate images from a checkpoint: `gan-generate RUN --num 64 --out grid.png`."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.functional import to_pil_image
from tqdm.auto import tqdm

from gan_lightning.data.images import to_uint8, to_unit_range
from gan_lightning.errors import UserError
from gan_lightning.files import atomic
from gan_lightning.models import GAN
from gan_lightning.models.interpolation import great_circle
from gan_lightning.terminal import error_line
from gan_lightning.training import checkpoint
from gan_lightning.visualization import grids


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; exits with code 1 and one message on a user's mistake."""
    options = _parser().parse_args(arguments)
    try:
        out = Path(options.out)
        kind = _kind(options.out)
        model = checkpoint.load_model(checkpoint.locate(options.checkpoint)).to(device_of(options.device))
        z, condition = _latents_and_conditions(model, options)
        columns = options.interpolate or math.ceil(math.sqrt(len(z)))
        samples = _generate(model, z, condition, options.raw)
        _write(samples, out, kind, columns, _captions(model, condition) if kind == "png" else [])
    except (UserError, FloatingPointError) as error:
        sys.exit(error_line(error))
    except OSError as error:
        sys.exit(error_line(f"--out {options.out}: {error}"))
    print(f"{len(z)} images in {out}")


def _latents_and_conditions(model: GAN, options: argparse.Namespace) -> tuple[Tensor, Tensor | None]:
    """Returns the latents and conditions of the images to generate."""
    label = model.parse_label(options.label)
    if not options.interpolate:
        return model.fixed_z(options.num, options.seed), model.fixed_conditions(options.num, options.seed, label)
    rows = -(-options.num // options.interpolate)
    ends = model.fixed_z(2 * rows, options.seed)
    fractions = torch.linspace(0, 1, options.interpolate).unsqueeze(1)
    z = torch.cat([great_circle(start, end, fractions) for start, end in ends.split(2)])
    condition = model.fixed_conditions(rows, options.seed, label)
    return z, None if condition is None else condition.repeat_interleave(options.interpolate, 0)


def _generate(model: GAN, z: Tensor, condition: Tensor | None, raw: bool) -> Tensor:
    """Generates images, uint8 (num, channels, height, width), or points, unchanged; shows a progress bar."""
    total = math.ceil(len(z) / model.BLOCK)
    blocks = [
        block.cpu() for block in tqdm(model.generate(z, condition, raw), total=total, desc="generating", leave=False)
    ]
    return torch.cat([to_uint8(block) if block.ndim == 4 else block for block in blocks])


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


def _kind(out: str) -> Literal["npz", "png", "folder"]:
    path = Path(out)
    suffix = path.suffix.lower()
    if path.is_dir() or out.endswith("/") or not suffix:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise UserError(f"--out {out}: expected a new or an empty folder, so that no other images are among these")
        return "folder"
    if suffix not in (".png", ".npz"):
        raise UserError(f"--out {out}: expected a name that ends in .png or .npz, or a folder, with a / at the end")
    return "png" if suffix == ".png" else "npz"


def device_of(name: str) -> torch.device:
    """Returns the device that `--device` names.

    Raises:
        UserError: There is no such device.
    """
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UserError(f"--device {name}: {str(error).splitlines()[0]}. Expected cpu, cuda, cuda:1 or mps") from error
    return device


def whole_number_from(least: int) -> Callable[[str], int]:
    """Returns a type for argparse: whole numbers of at least `least`."""

    def whole_number(text: str) -> int:
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f"expected a whole number from {least}, got {text}")
        return number

    return whole_number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gan-generate",
        description="Generates images from a trained generator. The same seed gives the same images, and image i does "
        "not depend on their number.",
    )
    parser.add_argument("checkpoint", help="a run folder, or a .ckpt file")
    parser.add_argument("--num", type=whole_number_from(1), default=64, help="number of images (default: 64)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the latents (default: 0)")
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
    parser.add_argument("--raw", action="store_true", help="use the last weights, not their average (EMA)")
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1, mps")
    return parser


if __name__ == "__main__":
    main()
