"""Draw images from a checkpoint: `gan-generate RUN --num 64 --out grid.png`."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torchvision.transforms.functional import to_pil_image
from tqdm.auto import tqdm

from gan_lightning.data.images import to_uint8, to_unit_range
from gan_lightning.errors import UserError
from gan_lightning.files import atomic
from gan_lightning.models import GAN
from gan_lightning.training import checkpoint
from gan_lightning.visualization import grids


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; exits with code 1 and one message on a user's mistake."""
    options = _parser().parse_args(arguments)
    try:
        out = Path(options.out)
        kind = _kind(options.out)
        model = checkpoint.load_model(checkpoint.locate(options.checkpoint)).to(device_of(options.device))
        z, condition = _requested(model, options)
        columns = options.interpolate or math.ceil(math.sqrt(len(z)))
        write(draw(model, z, condition, options.raw), out, kind, columns)
    except UserError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: --out {options.out}: {error}")
    print(f"{len(z)} images in {out}")


def _requested(model: GAN, options: argparse.Namespace) -> tuple[Tensor, Tensor | None]:
    """The latents and conditions of the images to generate."""
    label = model.parse_label(options.label)
    if not options.interpolate:
        return model.fixed_z(options.num, options.seed), model.fixed_labels(options.num, options.seed, label)
    rows = -(-options.num // options.interpolate)
    ends = model.fixed_z(2 * rows, options.seed)
    z = torch.cat([between(start, end, options.interpolate) for start, end in ends.split(2)])
    condition = model.fixed_labels(rows, options.seed, label)
    return z, None if condition is None else condition.repeat_interleave(options.interpolate, 0)


def between(
    start: Float[Tensor, " latent"], end: Float[Tensor, " latent"], steps: int
) -> Float[Tensor, "steps latent"]:
    """`steps` latents from one to the other along a great circle: White 2016 (arXiv:1609.04468), section 2.1."""
    cosine = torch.nn.functional.cosine_similarity(start, end, dim=0).clamp(-1, 1)
    angle = torch.acos(cosine)
    share = torch.linspace(0, 1, steps).unsqueeze(1)
    if angle.sin() < 1e-6:  # parallel: there is no circle
        return start + share * (end - start)
    return (torch.sin((1 - share) * angle) * start + torch.sin(share * angle) * end) / torch.sin(angle)


def draw(model: GAN, z: Tensor, condition: Tensor | None, raw: bool) -> Tensor:
    """Images as uint8 (num, channels, height, width), points as they are, behind a progress bar."""
    total = math.ceil(len(z) / model.BLOCK)
    blocks = [
        block.cpu() for block in tqdm(model.generate(z, condition, raw), total=total, desc="generating", leave=False)
    ]
    return torch.cat([to_uint8(block) if block.ndim == 4 else block for block in blocks])


def write(samples: Tensor, out: Path, kind: Literal["npz", "png", "folder"], columns: int) -> None:
    """Writes an array (key `images`), one picture of all, or a folder of PNGs."""
    if kind == "npz":
        with atomic(out) as path, path.open("wb") as file:
            np.savez_compressed(file, images=samples.numpy())
    elif kind == "png":
        picture = grids.grid(to_unit_range(samples), columns) if samples.ndim == 4 else grids.picture(samples)
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
    """The device that `--device` names."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UserError(f"--device {name}: {str(error).splitlines()[0]}. Expected cpu, cuda, cuda:1 or mps") from error
    return device


def whole_number_from(least: int) -> Callable[[str], int]:
    """The type, for argparse, of whole numbers that are not below `least`."""

    def whole_number(text: str) -> int:
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f"expected a whole number from {least}, got {text}")
        return number

    return whole_number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gan-generate",
        description="Draws images from a trained generator. The same seed draws the same images, and image i does "
        "not depend on how many are drawn.",
    )
    parser.add_argument("checkpoint", help="a run folder, or a .ckpt file")
    parser.add_argument("--num", type=whole_number_from(1), default=64, help="how many images (default: 64)")
    parser.add_argument("--seed", type=int, default=0, help="of the latents (default: 0)")
    parser.add_argument(
        "--out", default="grid.png", help="x.png: a grid; x.npz: uint8, N x C x H x W; else a folder of PNGs"
    )
    parser.add_argument(
        "--label", "--tags", help="of a conditional model: a class, or tags such as 'blue hair, yellow eyes'"
    )
    parser.add_argument(
        "--interpolate",
        type=whole_number_from(1),
        metavar="STEPS",
        help="rows of so many images from one latent to another",
    )
    parser.add_argument("--raw", action="store_true", help="the last weights, where the default is their average (EMA)")
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1, mps")
    return parser


if __name__ == "__main__":
    main()
