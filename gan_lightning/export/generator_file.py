"""A trained generator as one file that needs nothing of this package."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, NamedTuple

from gan_lightning.errors import UserError
from gan_lightning.export.formats import FORMATS, Format, FormatName, traced
from gan_lightning.export.portable import PortableGenerator, example_inputs, metadata, to_pictures
from gan_lightning.files import atomic
from gan_lightning.models import GAN
from gan_lightning.models.latents import STANDARD_NORMAL
from gan_lightning.models.rebuild import rebuild
from gan_lightning.training import checkpoint

TOLERANCE = 1e-4
"""The largest difference between a file's samples and the model's, relative to the largest number if that exceeds 1."""
BATCHES = (1, 5)
"""The sizes of the batches that are compared; the file is traced with another."""


class Exported(NamedTuple):
    """A file that was written.

    Attributes:
        path: The file.
        metadata: What it says of itself.
        difference: The largest difference between its samples and the model's; None: its runtime is not installed.
    """

    path: Path
    metadata: dict[str, Any]
    difference: float | None


def export_generator(
    place: str | Path, out: str | Path, *, format: FormatName = "onnx", raw: bool = False, truncation: float = 1.0
) -> Exported:
    """Writes a trained generator as one file, and compares what the file computes with the model.

    Inputs are `z`, latents (batch, latent_dim), and, of a conditional model, `labels`: class indices (batch,), where
    any other number, such as -1, means no label, or multi-hot rows of tags (batch, names), floats. The output is
    `images` in [0, 1], (batch, channels, height, width); points and numbers have no such range and stay as they are.

    Args:
        place: A run folder, which stands for its last checkpoint, or a checkpoint.
        out: The file to write, x.onnx or x.pt2.
        format: "onnx", for ONNX Runtime, or "torch", for `torch.export.load`.
        raw: Whether to take the last weights instead of their average (EMA).
        truncation: The factor of the latents, above 0, up to 1. Below 1, samples are more typical and vary less.

    Raises:
        UserError: There is no such checkpoint, format or truncation, the name does not fit the format, a package is
            missing, the network cannot be traced, or the file computes something else than the model.
        FloatingPointError: The generator's samples are not finite.
    """
    if format not in FORMATS:
        raise UserError(f"--format {format}: expected {' or '.join(FORMATS)}")
    if not 0 < truncation <= 1:
        raise UserError(f"--truncation {truncation}: expected a number above 0, up to 1")
    chosen, target = FORMATS[format], Path(out)
    if target.suffix.lower() != chosen.suffix:
        raise UserError(f"--out {out}: expected a name that ends in {chosen.suffix}, as --format {format} has")
    missing = [name for name in chosen.needs if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"--format {format} needs {' and '.join(missing)}: pip install 'gan_lightning[export]'")
    path = checkpoint.locate(place)
    saved = checkpoint.read(path)
    model = rebuild(saved, path).eval()
    if truncation != 1 and model.prior != STANDARD_NORMAL:
        raise UserError(
            f"--truncation {truncation}: the latents of {type(model).__name__} are not normal, but {model.prior}. "
            "Leave the option out"
        )
    about = metadata(model, saved, raw, truncation)
    program = traced(PortableGenerator(model, raw, truncation), example_inputs(model, 3))
    content = chosen.content(program, about)
    difference = _largest_difference(model, chosen, content, raw, truncation)
    with atomic(target) as part:
        part.write_bytes(content)
    return Exported(target, about, difference)


def _largest_difference(model: GAN, chosen: Format, content: bytes, raw: bool, truncation: float) -> float | None:
    largest = 0.0
    for count in BATCHES:
        z, *labels = inputs = example_inputs(model, count)
        condition = model.vocabulary.encode(labels[0]) if model.vocabulary else None
        expected = to_pictures(next(model.generate(truncation * z, condition, raw)))
        found = chosen.output(content, inputs)
        if found is None:
            return None
        difference = float((found - expected).abs().max())
        if not difference <= TOLERANCE * max(1.0, float(expected.abs().max())):
            raise UserError(
                f"the {chosen.suffix} file computes something else than the model: the largest difference is "
                f"{difference:.1e}, in batches of {count}. Nothing was written"
            )
        largest = max(largest, difference)
    return largest
