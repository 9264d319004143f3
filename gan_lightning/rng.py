"""Random numbers as a function of their place in a run.

Every draw has a key, (purpose, seed, step, ...), and a generator of its own, which starts from that key. So a run that
is resumed, or spread over several processes, gets the same random numbers as one process without interruption.
Dropout and augmentation are the exception: they use torch's own generators, which are seeded for each batch and
process, so that resuming is exact, while the number of processes changes them.

The purposes, such as "rows", "asked", "floor", "labelled" and "neighbours", stay as they are, even where the code now
has a better word: another purpose is another key, and so changes the random numbers of all later runs.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


def mix(*key: int | str) -> int:
    """Returns a 63-bit seed that depends on every part of `key` and on their order."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def generator(*key: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """Returns a new generator, seeded by `key`."""
    return torch.Generator(device).manual_seed(mix(*key))


def permutation(size: int, *key: int | str) -> Tensor:
    """Returns a random permutation of range(size): (size,), int64, on the CPU."""
    return torch.randperm(size, generator=generator(*key))


def seed_defaults(device: torch.device, *key: int | str) -> None:
    """Seeds the generators that layers such as dropout draw from, on the CPU and on `device`.

    `torch.manual_seed` has the same effect. But where CUDA is installed and unused, it stores a stack trace at every
    call, which takes longer than a small update.
    """
    torch.default_generator.manual_seed(mix(*key))
    if device.type != "cpu":
        torch.get_device_module(device).manual_seed(mix(*key))
