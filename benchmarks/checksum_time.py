"""The time that the checksum adds to reading a checkpoint, as a ratio to torch.load of the same file, interleaved."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from gan_lightning.checksum import append_checksum, require_intact


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 700], help="sizes in MB (default: 10 700)")
    parser.add_argument("--turns", type=int, default=9, help="measurements of each (default: 9)")
    options = parser.parse_args()
    print("size     action    torch    checksum   ratio")
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as place:
            measure(size, Path(place, "x.ckpt"), options.turns)


def measure(size: int, path: Path, turns: int) -> None:
    # Tensors of 4 MB, as many as a network with two moments of Adam has layers.
    content = {str(number): torch.randn(1_000_000) for number in range(max(1, size // 4))}
    writing = interleaved(turns, lambda: torch.save(content, path), lambda: append_checksum(path))
    reading = interleaved(turns, lambda: torch.load(path, weights_only=True), lambda: require_intact(path))
    for name, (alone, more) in {"write": writing, "read": reading}.items():
        print(f"{size:4} MB  {name:6}{alone:8.3f} s{more:10.3f} s{more / alone:8.2f}", flush=True)


def interleaved(turns: int, *actions: Callable[[], object]) -> list[float]:
    """The median time of each action in seconds; in each turn all run once, one after the other."""
    times: list[list[float]] = [[] for _ in actions]
    for _ in range(turns):
        for found, action in zip(times, actions, strict=True):
            started = time.perf_counter()
            action()
            found.append(time.perf_counter() - started)
    return [statistics.median(found) for found in times]


if __name__ == "__main__":
    main()
