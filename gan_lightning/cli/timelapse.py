"""Make a video of a run's sample grids, or show one of them: `gan-timelapse RUN`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from gan_lightning.cli.errors import one_line_errors
from gan_lightning.training.run_folder import RunFolder
from gan_lightning.visualization import video
from gan_lightning.visualization.pictures import read_picture


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; exits with code 1 and one message on a user's mistake."""
    options = _parser().parse_args(arguments)
    samples = RunFolder(options.run).samples
    with one_line_errors():
        if options.epoch is not None:
            _show(video.picture_of_epoch(samples, options.epoch))
            return
        pictures = video.pictures_of(samples)
        chosen = video.thinned(pictures) if options.thin else pictures
        written = video.write(chosen, Path(options.out) if options.out else samples / "video", options.fps)
    print(f"{len(chosen)} pictures in {written[0]} and {written[1]}")


def _show(path: Path) -> None:
    print(path)
    if sys.platform != "linux" or os.environ.keys() & {"DISPLAY", "WAYLAND_DISPLAY"}:
        read_picture(path, path.parent.parent).show()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gan-timelapse", description="Joins the sample grids of a run to a GIF and an MP4."
    )
    parser.add_argument("run", help="a run folder")
    parser.add_argument("--thin", action="store_true", help="leave out more and more sample grids toward the end")
    parser.add_argument(
        "--fps",
        type=int,
        choices=range(1, 61),
        default=10,
        metavar="N",
        help="frames per second, 1 to 60 (default: 10)",
    )
    parser.add_argument("--out", help="output path without suffix (default: samples/video in the run folder)")
    parser.add_argument("--epoch", type=int, help="show the sample grid of this epoch instead; 0: before training")
    return parser


if __name__ == "__main__":
    main()
