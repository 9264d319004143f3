"""Decodes a folder of pictures under SIGKILL at random moments: the work that is done twice, and whether bytes differ.

python benchmarks/decode_kills.py --pictures 50000 --kills 3
"""

from __future__ import annotations

import argparse
import collections
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

DIFFERENT = 200
"""The number of different pictures; the others are hard links to them."""

CHILD = """
import os, sys
from gan_lightning.data.io import decoding
from gan_lightning.data.io.folders import list_pictures
from gan_lightning.data.io.sources import FolderPictures
read, root, log = decoding.read_picture, sys.argv[1], os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def logged(path, shape):
    os.write(log, f"{path.name}\\n".encode())
    return read(path, shape)
decoding.read_picture = logged
decoding.decoded(FolderPictures(root, list_pictures(root)), (3, 64, 64))
"""


def make_pictures(folder: Path, count: int, side: int) -> None:
    """Smooth colors with noise, about as long to decode as photographs."""
    rng = np.random.default_rng(0)
    for number in range(count):
        path = folder / f"{number:06d}.jpg"
        if number < DIFFERENT:
            coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
            pixels = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC)) + rng.normal(
                0, 8, (side, side, 1)
            )
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=92)
        else:
            os.link(folder / f"{number % DIFFERENT:06d}.jpg", path)


def decode(pictures: Path, cache: Path, log: Path, kill_at: int | None = None) -> float:
    """Decodes in a process of its own, and kills it once it has begun `kill_at` pictures; returns the seconds."""
    environment = os.environ | {"GAN_LIGHTNING_CACHE": str(cache)}
    started = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(pictures), str(log)], env=environment)
    while kill_at is not None and child.poll() is None:
        if log.exists() and log.read_bytes().count(b"\n") >= kill_at:
            child.send_signal(signal.SIGKILL)
            break
        time.sleep(0.02)
    code = child.wait()
    if code != (0 if kill_at is None else -signal.SIGKILL):
        raise SystemExit(f"the process ended with {code}")
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=50_000)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--side", type=int, default=512, help="of a picture, in pixels")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder, log, whole_log = Path(place, "pictures"), Path(place, "log"), Path(place, "whole")
        folder.mkdir()
        make_pictures(folder, options.pictures, options.side)
        moments = sorted(random.Random(options.seed).sample(range(1, options.pictures), options.kills))
        seconds = [decode(folder, Path(place, "killed"), log, moment) for moment in [*moments, None]]
        whole = decode(folder, Path(place, "undisturbed"), whole_log)
        times = collections.Counter(log.read_text().split())
        twice = times.total() - options.pictures
        caches = [Path(place, name) for name in ("killed", "undisturbed")]
        pixels, expected = ([path.read_bytes() for path in sorted(cache.glob("pictures_*"))] for cache in caches)
        left = sorted(path.name for path in caches[0].iterdir()) != sorted(path.name for path in caches[1].iterdir())
    print("| | |\n| --- | --- |")
    print(f"| pictures | {options.pictures:,} |")
    print(f"| killed after | {', '.join(f'{moment:,}' for moment in moments)} |")
    print(
        f"| decoded more than once | {twice:,} ({100 * twice / options.pictures:.2f}%) |\n"
        f"| decoded never | {options.pictures - len(times):,} |"
    )
    print(f"| seconds of the sessions | {', '.join(f'{each:.1f}' for each in seconds)}; undisturbed {whole:.1f} |")
    print(f"| bytes of pixels and journal | {'equal' if pixels == expected else 'DIFFERENT'} |")
    print(f"| list of files | {'DIFFERENT' if left else 'equal'} |")


if __name__ == "__main__":
    main()
