"""Take a trained generator elsewhere: `gan-export RUN --format onnx`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from gan_lightning.cli.errors import one_line_errors
from gan_lightning.errors import UserError
from gan_lightning.export import export_generator, save_pretrained
from gan_lightning.export.generator_file import Exported

OUT = {"onnx": "generator.onnx", "torch": "generator.pt2", "hub": "pretrained"}
"""Where each format is written by default."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; exits with code 1 and one message on a user's mistake."""
    options = _parser().parse_args(arguments)
    out = options.out or OUT[options.format]
    with one_line_errors(out):
        if options.format == "hub":
            print(_save_pretrained(options, out))
        else:
            written = export_generator(
                options.checkpoint, out, format=options.format, raw=options.raw, truncation=options.truncation
            )
            print(_message(written))


def _save_pretrained(options: argparse.Namespace, out: str) -> str:
    if options.raw or options.truncation != 1:
        raise UserError("--raw, --truncation: belong to --format onnx and torch; a folder for a hub has all weights")
    folder = save_pretrained(options.checkpoint, out)
    return f"the model in {folder}; before you publish it, choose a license in {folder / 'README.md'}"


def _message(written: Exported) -> str:
    about = written.metadata
    labels = {"classes": ", labels (batch,)", "tags": f", labels (batch, {len(about['names'])})", None: ""}
    shape = ", ".join(map(str, ["batch", *about["image_shape"]]))
    output = f"images ({shape}) in [0, 1]" if about["range"] else f"samples ({shape})"
    compared = (
        "not compared with the model: for that, pip install 'gan_lightning[export]'"
        if written.difference is None
        else f"largest difference from the model: {written.difference:.1e}"
    )
    return (
        f"{written.path}: z (batch, {about['latent_dim']}){labels[about['labels']]} -> {output}, weights: "
        f"{about['weights']}\n{compared}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gan-export",
        description="Writes a trained generator as one file for ONNX Runtime or plain torch, which needs nothing of "
        "this package, or a trained model as a folder for a model hub.",
    )
    parser.add_argument("checkpoint", help="a run folder, or a .ckpt file")
    parser.add_argument(
        "--format",
        choices=tuple(OUT),
        required=True,
        help="onnx: for ONNX Runtime; torch: for torch.export.load; hub: a folder for gan_lightning.from_pretrained",
    )
    parser.add_argument("--out", help=f"file or folder to write (default: {', '.join(OUT.values())})")
    parser.add_argument("--raw", action="store_true", help="use the last weights, not their average (EMA)")
    parser.add_argument(
        "--truncation",
        type=float,
        default=1.0,
        metavar="PSI",
        help="factor of the latents, up to 1, inside the file: below 1 samples are more typical and vary less",
    )
    return parser


if __name__ == "__main__":
    main()
