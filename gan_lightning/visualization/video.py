"""The numbered pictures of a run as a video."""

from __future__ import annotations

import contextlib
import itertools
import math
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from imageio_ffmpeg import write_frames
from jaxtyping import UInt8

from gan_lightning.errors import UserError
from gan_lightning.files import atomic
from gan_lightning.visualization.pictures import read_picture, size_of

LARGEST = 2**29
"""The largest number of bytes of a frame."""
_PALETTES = "split[a][b];[a]palettegen=stats_mode=single:reserve_transparent=0[p];[b][p]paletteuse=new=1"
FORMATS: dict[str, dict[str, Any]] = {
    # A palette for each frame, of which ffmpeg waits for no later one.
    ".gif": {"codec": "gif", "quality": None, "pix_fmt_out": "pal8", "output_params": ["-filter_complex", _PALETTES]},
    ".mp4": {"codec": "libx264"},
}
"""What ffmpeg is told for each suffix of a run's video."""
FILM_FORMATS = FORMATS | {
    ".webp": {"codec": "libwebp_anim", "quality": None, "pix_fmt_out": "yuv420p", "output_params": ["-loop", "0"]}
}
"""The same for a film of frames."""
Frame = UInt8[np.ndarray, "height width 3"]


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

    One frame at a time is in memory.

    Raises:
        UserError: A picture is damaged or no file of its run, or a frame would need more than `LARGEST` bytes.
    """
    size = _frame_size(pictures)
    with tempfile.TemporaryDirectory(prefix="gan_lightning_") as place:
        made = [Path(place, f"video{suffix}") for suffix in FORMATS]
        for path in made:
            _encode(pictures, path, size, fps)
        for path in made:
            with atomic(stem.with_suffix(path.suffix)) as partial:
                shutil.copyfile(path, partial)  # ffmpeg would not say why it cannot write
    return [stem.with_suffix(suffix) for suffix in FORMATS]


def write_film(frames: Iterable[Frame], path: Path, fps: int) -> None:
    """Writes frames of equal size to a .gif, .mp4 or .webp, whole or not at all. One frame at a time is in memory.

    Raises:
        UserError: A frame would need more than `LARGEST` bytes.
    """
    ahead = iter(frames)
    first = next(ahead)
    height, width = (side + side % 2 for side in first.shape[:2])
    _require_size(path, width, height)
    with tempfile.TemporaryDirectory(prefix="gan_lightning_") as place:
        made = Path(place, f"film{path.suffix.lower()}")
        _send(itertools.chain([first], ahead), made, (width, height), fps)
        with atomic(path) as partial:
            shutil.copyfile(made, partial)


def _encode(pictures: Sequence[Path], path: Path, size: tuple[int, int], fps: int) -> None:
    shown = [*pictures, *[pictures[-1]] * fps]
    _send((np.asarray(read_picture(picture, picture.parent.parent)) for picture in shown), path, size, fps)


def _send(frames: Iterable[Frame], path: Path, size: tuple[int, int], fps: int) -> None:
    """Lets ffmpeg encode frames, each with black pixels below and to its right up to `size`, (width, height)."""
    width, height = size
    options = FILM_FORMATS[path.suffix]
    encoder = write_frames(str(path), size, fps=fps, macro_block_size=2, ffmpeg_log_level="error", **options)
    encoder.send(None)  # starts ffmpeg
    with contextlib.closing(encoder):
        for frame in frames:
            encoder.send(np.pad(frame, ((0, height - frame.shape[0]), (0, width - frame.shape[1]), (0, 0))))


def _frame_size(pictures: Sequence[Path]) -> tuple[int, int]:
    """The width and height of the largest picture; MP4 needs even ones."""
    width = height = 0
    for path in pictures:
        sides = size_of(path, path.parent.parent)
        width, height = (max(before, side + side % 2) for before, side in zip((width, height), sides, strict=True))
        _require_size(path, width, height)
    return width, height


def _require_size(path: Path, width: int, height: int) -> None:
    if height * width * 3 > LARGEST:
        raise UserError(
            f"{path}: a frame of {width} x {height} pixels takes more than {LARGEST:,} bytes. Make the video of "
            "smaller pictures"
        )
