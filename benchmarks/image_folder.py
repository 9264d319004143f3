"""Images a second from a folder of pictures: decoding them, from the cache, and torchvision's way, in turns.

python benchmarks/image_folder.py path/to/pictures --count 50000
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms

from gan_lightning.data.datasets.image_folder import ImageFolder
from gan_lightning.data.io.decoding import decoded
from gan_lightning.data.io.folders import has_splits, list_pictures
from gan_lightning.data.io.sources import FolderPictures

TURNS = 5


def theirs(folder: str, size: int, batch_size: int, workers: int, count: int) -> Iterator[torch.Tensor]:
    """Batches as a tutorial has them, epoch after epoch: decoded anew each time, in worker processes."""
    steps = [transforms.Resize((size, size)), transforms.ToTensor(), transforms.Normalize((0.5,) * 3, (0.5,) * 3)]
    pictures = datasets.ImageFolder(folder, transforms.Compose(steps))
    some = Subset(pictures, torch.randperm(len(pictures))[:count].tolist())
    loader = DataLoader(
        some, batch_size, shuffle=True, drop_last=True, num_workers=workers, persistent_workers=workers > 0
    )
    while True:
        for images, _ in loader:
            yield images


def ours(data: ImageFolder) -> Iterator[torch.Tensor]:
    """Batches of the cache as the model gets them, epoch after epoch."""
    loader = data.train_dataloader()
    while True:
        for batch in loader:
            yield data.on_after_batch_transfer(batch, 0)[0]


def rate(batches: Iterator[torch.Tensor], number: int) -> float:
    """Images a second over so many batches."""
    started = time.perf_counter()
    images = sum(len(batch) for batch in itertools.islice(batches, number))
    return images / (time.perf_counter() - started)


def decoding_rate(folder: str, files: list[str], size: int) -> float:
    """Images a second of a first pass, into a cache of its own."""
    with tempfile.TemporaryDirectory() as cache:
        kept, os.environ["GAN_LIGHTNING_CACHE"] = os.environ["GAN_LIGHTNING_CACHE"], cache
        started = time.perf_counter()
        decoded(FolderPictures(folder, files), (3, size, size))
        seconds = time.perf_counter() - started
        os.environ["GAN_LIGHTNING_CACHE"] = kept
    return len(files) / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="class folders of pictures, or train/ and test/ of them")
    parser.add_argument("--count", type=int, default=50_000, help="pictures in use")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2, help="of torchvision's way")
    options = parser.parse_args()
    folder = os.path.join(options.folder, "train") if has_splits(options.folder) else options.folder
    files = list_pictures(folder)
    order = torch.randperm(len(files))[: options.count]
    few = [files[index] for index in order[: options.count // TURNS].tolist()]
    with tempfile.TemporaryDirectory() as cache:
        os.environ["GAN_LIGHTNING_CACHE"] = cache
        shape = (3, options.size, options.size)
        classes = len(next(os.walk(folder))[1])
        data = ImageFolder(
            shape, batch_size=options.batch_size, root=folder, limit=options.count, condition_dim=classes
        )
        started = time.perf_counter()
        data.setup()
        print(f"the whole first pass, {len(files):,} pictures: {len(files) / (time.perf_counter() - started):,.0f}/s")
        plain = theirs(folder, options.size, options.batch_size, options.workers, options.count)
        cached = ours(data)
        batches = options.count // options.batch_size // TURNS
        rates: dict[str, list[float]] = {"torchvision": [], "first pass": [], "cache": []}
        rate(plain, 10), rate(cached, 10)  # workers have started, files are in the system's cache
        for _ in range(TURNS):
            rates["torchvision"].append(rate(plain, batches))
            rates["first pass"].append(decoding_rate(folder, few, options.size))
            rates["cache"].append(rate(cached, 10 * batches))
    print("| | images/s, median | from | to |\n| --- | --- | --- | --- |")
    for name, found in rates.items():
        print(f"| {name} | {statistics.median(found):,.0f} | {min(found):,.0f} | {max(found):,.0f} |")
    for name in ("first pass", "cache"):
        ratios = [a / b for a, b in zip(rates[name], rates["torchvision"], strict=True)]
        print(f"{name}/torchvision: {statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})")


if __name__ == "__main__":
    main()
