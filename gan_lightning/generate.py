"""Draw images from a checkpoint: `python -m gan_lightning.generate RUN --num 64 --out grid.png`."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torchvision.transforms.functional import to_pil_image
from tqdm.auto import tqdm

from gan_lightning import checkpoint
from gan_lightning.data.images import to_uint8, to_unit_range
from gan_lightning.errors import UserError
from gan_lightning.files import atomic
from gan_lightning.models import GAN
from gan_lightning.pictures import grid


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; exits with code 1 and one message on a user's mistake."""
    options = _parser().parse_args(arguments)
    try:
        out = Path(options.out)
        _require_free(out)
        model = checkpoint.load_model(checkpoint.locate(options.checkpoint)).to(options.device)
        write(draw(model, options.num, options.seed, options.raw), out)
    except UserError as error:
        sys.exit(f"error: {error}")
    print(f"{options.num} images in {out}")


def draw(model: GAN, num: int, seed: int, raw: bool) -> UInt8[Tensor, "num channels height width"]:
    """Images 0 to num - 1 of `seed`, behind a progress bar."""
    blocks = tqdm(model.samples(num, seed, raw), total=math.ceil(num / model.BLOCK), desc="drawing", leave=False)
    return torch.cat([to_uint8(block.cpu()) for block in blocks])


def write(images: UInt8[Tensor, "num channels height width"], out: Path) -> None:
    """Writes an array (.npz, key `images`), one grid (.png), or a folder of PNGs."""
    if out.suffix == ".npz":
        with atomic(out) as path, path.open("wb") as file:
            np.savez_compressed(file, images=images.numpy())
    elif out.suffix == ".png":
        with atomic(out) as path:
            to_pil_image(grid(to_unit_range(images))).save(path, format="png")
    else:
        for number, image in enumerate(images):
            with atomic(out / f"{number:06d}.png") as path:
                to_pil_image(image).save(path, format="png")


def _require_free(out: Path) -> None:
    if out.suffix not in (".png", ".npz", ""):
        raise UserError(f"--out {out}: expected a name that ends in .png or .npz, or a folder")
    if not out.suffix and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"--out {out}: expected a new or an empty folder, so that no other images are among these")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text}")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gan-generate",
        description="Draws images from a trained generator. The same seed draws the same images, and image i does "
        "not depend on how many are drawn.",
    )
    parser.add_argument("checkpoint", help="a run folder, or a .ckpt file")
    parser.add_argument("--num", type=_positive, default=64, help="how many images (default: 64)")
    parser.add_argument("--seed", type=int, default=0, help="of the latents (default: 0)")
    parser.add_argument(
        "--out", default="grid.png", help="x.png: a grid; x.npz: uint8, N x C x H x W; else a folder of PNGs"
    )
    parser.add_argument("--raw", action="store_true", help="the last weights, where the default is their average (EMA)")
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1, mps")
    return parser


if __name__ == "__main__":
    main()
