"""Show what the directions of the latents change: `gan-directions RUN --directions 3 --out directions/`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.functional import to_pil_image

from gan_lightning.cli.arguments import add_sampling, device_of, number_above_0, require_new_folder, whole_number_from
from gan_lightning.cli.errors import one_line_errors
from gan_lightning.errors import UserError
from gan_lightning.evaluation.inversion import require_images
from gan_lightning.files import atomic
from gan_lightning.models import GAN, latents
from gan_lightning.training import checkpoint
from gan_lightning.visualization import grids

STRENGTHS = 7
"""The number of columns of a grid."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; exits with code 1 and one message on a user's mistake."""
    options = _parser().parse_args(arguments)
    out = Path(options.out)
    with one_line_errors(out):
        require_new_folder(out)
        model = checkpoint.load_model(checkpoint.locate(options.checkpoint)).to(device_of(options.device))
        require_images(model)
        _write(model, options, out)


def _write(model: GAN, options: argparse.Namespace, out: Path) -> None:
    """Writes a grid for each direction, a sample in each row, and all directions with their eigenvalues."""
    generator = model.sampled_generator(options.raw).eval()
    styles = latents.is_style_based(generator)
    z = model.fixed_z(options.num, options.seed)
    condition = model.fixed_conditions(options.num, options.seed, model.parse_label(options.label))
    at = latents.styles_of(model, z, condition, options.raw) if styles else z
    found, values = latents.directions(generator, at.shape[1], None if condition is None else condition[:1])
    if options.directions > len(found):
        raise UserError(f"--directions {options.directions}: the latents have {len(found)} dimensions")
    strengths = torch.linspace(-options.strength, options.strength, STRENGTHS)
    captions = [f"{strength:+.1f}" for strength in strengths.tolist()] * len(at)
    for number, direction in enumerate(found[: options.directions], 1):
        images = _moved(model, at, direction.to(at), strengths, condition, options.raw, styles)
        with atomic(out / f"direction_{number}.png") as path:
            to_pil_image(grids.grid(images, STRENGTHS, captions)).save(path, format="png")
    with atomic(out / "directions.npz") as path, path.open("wb") as file:
        np.savez_compressed(file, directions=found.numpy(), eigenvalues=values.numpy())
    space, share = "w" if styles else "z", values[: options.directions].sum() / values.sum()
    print(f"{options.directions} directions in {space}, {share:.0%} of the sum of all eigenvalues, in {out}")


def _moved(
    model: GAN, at: Tensor, direction: Tensor, strengths: Tensor, condition: Tensor | None, raw: bool, styles: bool
) -> Tensor:
    """Returns the samples (num * strengths, ...) at each latent, moved by each strength."""
    moved = (at[:, None] + strengths[:, None] * direction).flatten(0, 1)
    repeated = None if condition is None else condition.repeat_interleave(len(strengths), 0)
    return torch.cat([block.cpu() for block in model.generate(moved, repeated, raw, styles)])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gan-directions",
        description="Shows what the directions change to which the first layer of a generator answers most (SeFa): a "
        "grid for each, whose rows are samples and whose columns are strengths.",
    )
    parser.add_argument("checkpoint", help="a run folder, or a .ckpt file")
    parser.add_argument("--directions", type=whole_number_from(1), default=3, help="number of directions (default: 3)")
    parser.add_argument("--num", type=whole_number_from(1), default=5, help="number of samples (default: 5)")
    parser.add_argument(
        "--strength", type=number_above_0, default=3.0, help="largest distance along a direction (default: 3)"
    )
    parser.add_argument("--out", default="directions", help="a new or an empty folder (default: directions)")
    parser.add_argument("--label", "--tags", help="for a conditional model: a class, or tags")
    add_sampling(parser)
    return parser


if __name__ == "__main__":
    main()
