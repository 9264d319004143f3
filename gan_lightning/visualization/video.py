"""The numbered pictures of a run as a video."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import imageio.v3 as imageio
import numpy as np

from gan_lightning.errors import UserError
from gan_lightning.files import atomic
from gan_lightning.visualization.pictures import read_picture

LARGEST = 2**32
"""The largest number of bytes of the frames of a video."""


def pictures_of(samples: Path) -> list[Path]:
    """The pictures of a run's `samples/`, in order.

    Raises:
        UserError: There are none.
    """
    found = sorted(samples.glob("step_*.png"))
    if not found:
        raise UserError(f"there are no pictures step_*.png in {samples}. Expected a run folder with samples/")
    return found


def picture_of_epoch(samples: Path, epoch: int) -> Path:
    """The last picture that was drawn in an epoch; epoch 0 is before training.

    Raises:
        UserError: There is none.
    """
    epochs = {_epoch(path): path for path in pictures_of(samples)}
    if epoch not in epochs:
        numbers = ", ".join(str(number) for number in sorted(epochs))
        raise UserError(f"epoch {epoch}: no picture was drawn in it. There are pictures of epochs {numbers}")
    return epochs[epoch]


def _epoch(path: Path) -> int:
    epoch = read_picture(path, path.parent.parent).info.get("epoch", "0")
    if not (isinstance(epoch, str) and epoch.isdecimal() and len(epoch) < 20):
        raise UserError(f"{path}: its header says epoch {epoch!r:.40}, expected a number")
    return int(epoch)


def thinned(pictures: Sequence[Path]) -> list[Path]:
    """Fewer and fewer pictures, since most changes are early: those where round(2 sqrt(i)) grows, and the last one."""
    frames = [round(2 * math.sqrt(number)) for number in range(len(pictures))]
    kept = [path for path, one, before in zip(pictures, frames, [-1, *frames], strict=False) if one > before]
    return kept if kept[-1] == pictures[-1] else [*kept, pictures[-1]]


def write(pictures: Sequence[Path], stem: Path, fps: int) -> list[Path]:
    """Writes `stem`.gif and `stem`.mp4, and returns their paths; the last picture stays for a second.

    Raises:
        UserError: A picture is damaged or no file of its run, or the video would need more than `LARGEST` bytes.
    """
    frames = _frames([*pictures, *[pictures[-1]] * fps])
    gif, mp4 = stem.with_suffix(".gif"), stem.with_suffix(".mp4")
    with atomic(gif) as path:
        imageio.imwrite(path, frames, extension=".gif", duration=1000 / fps, loop=0)
    with atomic(mp4) as path:
        imageio.imwrite(
            path, frames, extension=".mp4", fps=fps, codec="libx264", macro_block_size=2, output_params=["-f", "mp4"]
        )
    return [gif, mp4]


def _frames(pictures: Sequence[Path]) -> np.ndarray:
    """All pictures at the size of the largest; MP4 needs even sizes."""
    frames: list[np.ndarray] = []
    height = width = 0
    for path in pictures:
        frame = np.asarray(read_picture(path, path.parent.parent))
        height, width = (max(size, axis + axis % 2) for size, axis in zip((height, width), frame.shape, strict=False))
        frames.append(frame)
        if len(pictures) * height * width * 3 > LARGEST:
            raise UserError(
                f"{path}: {len(pictures)} pictures of {width} x {height} pixels take more than {LARGEST:,} bytes as a "
                "video. Make it of fewer pictures (--thin), or of smaller ones"
            )
    return np.stack([np.pad(f, ((0, height - f.shape[0]), (0, width - f.shape[1]), (0, 0))) for f in frames])
