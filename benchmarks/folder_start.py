"""What a start costs on a folder of many pictures that are decoded already: CPU seconds, also for --total pictures."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gan_lightning.data import ImageFolder
from gan_lightning.data.io.folders import class_names, list_pictures
from gan_lightning.data.io.pixel_file import PixelFile
from gan_lightning.data.io.sources import FolderPictures
from gan_lightning.evaluation import Classifier
from gan_lightning.evaluation.reference import Reference


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folders", type=int, default=100, help="class folders (default: 100)")
    parser.add_argument("--each", type=int, default=100, help="pictures in each (default: 100)")
    parser.add_argument("--size", type=int, default=32, help="pixels a side (default: 32)")
    parser.add_argument("--turns", type=int, default=5, help="starts; the least time counts (default: 5)")
    parser.add_argument("--total", type=int, default=1_280_000, help="extrapolate to so many (default: 1280000)")
    options = parser.parse_args()
    Classifier.IMAGES_SEEN = 640
    with tempfile.TemporaryDirectory() as place:
        os.environ["GAN_LIGHTNING_CACHE"] = f"{place}/cache"
        root = Path(place, "pictures")
        make(root, options.folders, options.each, options.size)
        turns = [start(str(root), options.size) for _ in range(options.turns + 1)]
    count = options.folders * options.each
    print(f"{'CPU seconds':24}{'first start':>14}{'later':>10}{f'for {options.total:,}':>16}")
    for name, first in turns[0].items():
        later = min(turn[name] for turn in turns[1:])
        print(f"{name:24}{first:14.3f}{later:10.3f}{later * options.total / count:16.1f}")


def make(root: Path, folders: int, each: int, size: int) -> None:
    """Writes the pictures: a few different ones, many times."""
    pixels = np.random.default_rng(0).integers(0, 256, (10, size, size, 3), np.uint8)
    for folder in range(folders):
        Path(root, f"{folder:04}").mkdir(parents=True)
        Image.fromarray(pixels[folder % 10]).save(root / f"{folder:04}" / "0.png")
        content = (root / f"{folder:04}" / "0.png").read_bytes()
        for number in range(1, each):
            (root / f"{folder:04}" / f"{number}.png").write_bytes(content)


def start(root: str, size: int) -> dict[str, float]:
    """The parts of a start, as an evaluation with the classifier makes it; the first three are parts of the fourth."""
    shape, times = (3, size, size), {}

    def timed(name: str, action: Callable[[], Any]) -> Any:
        begin = time.process_time()
        found = action()
        times[name] = time.process_time() - begin
        return found

    timed("names of the classes", lambda: class_names(root))
    files = timed("list", lambda: list_pictures(root))
    timed("sizes and times", lambda: PixelFile(FolderPictures(root, files), shape))
    data = ImageFolder(shape, root=root, test_fraction=0.1, batch_size=1)
    timed("training pictures", lambda: data.load("train"))
    timed("test pictures", lambda: data.load("test"))
    extractor = Classifier()
    timed("classifier", lambda: extractor.prepare(data))
    timed("reference", lambda: Reference(extractor, data, "test"))
    return times


if __name__ == "__main__":
    main()
