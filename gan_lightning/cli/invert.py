"""Find the latents of pictures: `gan-invert RUN picture.png --out inverted/`."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import to_pil_image

from gan_lightning.cli.arguments import (
    add_sampling,
    device_of,
    make_folder,
    number_above_0,
    number_from_0,
    require_new_folder,
    whole_number_from,
)
from gan_lightning.cli.errors import one_line_errors
from gan_lightning.data.images import to_unit_range
from gan_lightning.data.io.folders import PICTURES
from gan_lightning.data.io.pictures import read_picture
from gan_lightning.errors import UserError
from gan_lightning.evaluation import inversion
from gan_lightning.files import atomic
from gan_lightning.models import GAN
from gan_lightning.models.rebuild import rebuild
from gan_lightning.training import checkpoint
from gan_lightning.visualization import grids, plots

MOST = 1000
"""The largest number of pictures at a time."""
PAIRS = 4
"""The number of pictures, each with its reconstruction, in a row."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; exits with code 1 and one message on a user's mistake."""
    options = _parser().parse_args(arguments)
    out = Path(options.out)
    with one_line_errors(out):
        require_new_folder(out)
        path = checkpoint.locate(options.checkpoint)
        saved = checkpoint.read(path)
        model: GAN = rebuild(saved, path).eval().to(device_of(options.device))
        files, pictures = _pictures(options.pictures, inversion.require_images(model))
        condition = _conditions(model, options, len(files))
        make_folder(out)
        features = inversion.features_of(saved, pictures.shape[1]) if options.feature_weight else None
        found = inversion.invert(
            model,
            pictures,
            condition,
            steps=options.steps,
            starts=options.starts,
            lr=options.lr,
            features=features and features.to(model.device),
            feature_weight=options.feature_weight,
            seed=options.seed,
            raw=options.raw,
        )
        _write(out, files, pictures, found)
    space = "w" if found.styles else "z"
    for file, mse in zip(files, found.mse.tolist(), strict=True):
        print(f"{file.name}: mean squared error {mse:.4f}, PSNR {_psnr(mse):.1f} dB")
    judged = f", with {'features of the classifier' if features else 'pixels alone'}"
    print(f"{len(files)} pictures in {space}{judged}: inverted.png, loss.png and latents.npz in {out}")


def _psnr(mse: float) -> float:
    """The peak signal-to-noise ratio in dB of images in [-1, 1]."""
    return float(10 * np.log10(4 / max(mse, 1e-12)))


def _pictures(place: str, shape: Sequence[int]) -> tuple[list[Path], Float[Tensor, "num channels height width"]]:
    """Reads a picture, or all pictures of a folder, cropped and resized to `shape`, in [-1, 1]."""
    path = Path(place)
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in PICTURES) if path.is_dir() else [path]
    if not 0 < len(files) <= MOST:
        raise UserError(f"{place}: it has {len(files)} pictures; expected from 1 to {MOST}")
    read = []
    for file in files:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            try:
                read.append(torch.from_numpy(np.array(read_picture(file, shape))))
            except UserError:
                raise
            except Exception as error:  # decoders raise many types of errors for broken files
                raise UserError(
                    f"{file} is no picture that can be read: {str(error) or type(error).__name__}"
                ) from error
    return files, to_unit_range(torch.stack(read))


def _conditions(model: GAN, options: argparse.Namespace, count: int) -> Tensor | None:
    label = model.parse_label(options.label)
    if model.vocabulary is not None and label is None:
        raise UserError(
            "--label: this model is conditional; expected what the pictures show: "
            + ", ".join(model.vocabulary.names[:20])
        )
    return None if label is None else label.expand(count, -1)


def _write(out: Path, files: Sequence[Path], pictures: Tensor, found: inversion.Inverted) -> None:
    """Writes each picture beside its reconstruction, the curves of the loss, and the latents."""
    pairs = torch.stack([pictures, found.images], 1).flatten(0, 1)
    with atomic(out / "inverted.png") as path:
        to_pil_image(grids.grid(pairs, 2 * min(PAIRS, len(files)))).save(path, format="png")
    with atomic(out / "loss.png") as path:
        path.write_bytes(plots.png([_curve(found.losses)]))
    space = "w" if found.styles else "z"
    arrays = {space: found.latents.numpy(), "mse": found.mse.numpy(), "files": np.array([file.name for file in files])}
    with atomic(out / "latents.npz") as path, path.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def _curve(losses: Float[Tensor, "steps num"]) -> plots.Draw:
    def draw(axes: Axes) -> None:
        steps = np.arange(1, len(losses) + 1)
        low, median, high = losses.double().quantile(torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64), 1).numpy()
        axes.fill_between(steps, low, high, alpha=0.2, label="10 % to 90 % of the pictures")
        axes.plot(steps, median, lw=1, label="median")
        axes.set(xlabel="step", title="loss", yscale="log")
        axes.yaxis.set_major_formatter("{x:g}")  # matplotlib's own are formulas
        axes.yaxis.set_minor_formatter("{x:g}")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)

    return draw


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gan-invert",
        description="Finds the latents whose samples are nearest to pictures: z, or w of a style-based generator. "
        "Pictures are cropped and resized to the size of the samples.",
    )
    parser.add_argument("checkpoint", help="a run folder, or a .ckpt file")
    parser.add_argument("pictures", help="a picture, or a folder of pictures")
    parser.add_argument("--out", default="inverted", help="a new or an empty folder (default: inverted)")
    parser.add_argument("--steps", type=whole_number_from(1), default=500, help="steps of Adam (default: 500)")
    parser.add_argument(
        "--starts", type=whole_number_from(1), default=16, help="random z of which the best is the start (default: 16)"
    )
    parser.add_argument("--lr", type=number_above_0, default=0.1, help="largest learning rate (default: 0.1)")
    parser.add_argument(
        "--feature-weight",
        type=number_from_0,
        default=1.0,
        help="weight of the features of the data's bundled classifier, if there is one; 0: pixels alone (default: 1)",
    )
    parser.add_argument("--label", "--tags", help="for a conditional model: a class, or tags, of all pictures")
    add_sampling(parser)
    return parser


if __name__ == "__main__":
    main()
