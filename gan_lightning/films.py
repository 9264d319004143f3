"""The numbered pictures of a run as a film."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
from PIL import Image

from gan_lightning.errors import UserError
from gan_lightning.files import atomic


def pictures_of(samples: Path) -> list[Path]:
    """The pictures of a run's `samples/`, in order.

    Raises:
        UserError: there are none.
    """
    found = sorted(samples.glob("step_*.png"))
    if not found:
        raise UserError(f"there are no pictures step_*.png in {samples}. Expected a run folder with samples/")
    return found


def picture_of_epoch(samples: Path, epoch: int) -> Path:
    """The last picture that was drawn in an epoch; epoch 0 is before training.

    Raises:
        UserError: there is none.
    """
    epochs = {_epoch(path): path for path in pictures_of(samples)}
    if epoch not in epochs:
        numbers = ", ".join(str(number) for number in sorted(epochs))
        raise UserError(f"epoch {epoch}: no picture was drawn in it. There are pictures of epochs {numbers}")
    return epochs[epoch]


def _epoch(path: Path) -> int:
    with Image.open(path) as image:
        return int(image.info.get("epoch", 0))


def thinned(pictures: Sequence[Path]) -> list[Path]:
    """Fewer and fewer pictures as the film goes on, for most happens early: those where 2 sqrt(i) passes an integer."""
    frames = [round(2 * math.sqrt(number)) for number in range(len(pictures))]
    return [path for path, one, before in zip(pictures, frames, [-1, *frames], strict=False) if one > before]


def write(pictures: Sequence[Path], stem: Path, fps: int) -> list[Path]:
    """Writes `stem`.gif and `stem`.mp4; the last picture stays for a second."""
    frames = np.stack(list(_frames(pictures, fps)))
    gif, mp4 = stem.with_suffix(".gif"), stem.with_suffix(".mp4")
    with atomic(gif) as path:
        imageio.imwrite(path, frames, extension=".gif", duration=1000 / fps, loop=0)
    with atomic(mp4) as path:
        imageio.imwrite(
            path, frames, extension=".mp4", fps=fps, codec="libx264", macro_block_size=2, output_params=["-f", "mp4"]
        )
    return [gif, mp4]


def _frames(pictures: Sequence[Path], fps: int) -> Iterator[np.ndarray]:
    for path in [*pictures, *[pictures[-1]] * fps]:
        frame = np.asarray(Image.open(path).convert("RGB"))
        yield np.pad(frame, ((0, len(frame) % 2), (0, frame.shape[1] % 2), (0, 0)))  # MP4 needs even sizes
