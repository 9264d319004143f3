"""Randomness as a function of its place in a run.

Every draw is keyed by what it is for, (seed, step, ...), and none continues a stream. A run that is
resumed, or spread over several processes, therefore draws what an undisturbed run would have drawn.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


def mix(*key: int | str) -> int:
    """A 63-bit seed that depends on every part of `key` and on their order."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def generator(*key: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A fresh generator for the draw that `key` names."""
    return torch.Generator(device).manual_seed(mix(*key))


def permutation(size: int, *key: int | str) -> Tensor:
    """A permutation of range(size), int64, on the CPU."""
    return torch.randperm(size, generator=generator(*key))


def seed_defaults(device: torch.device, *key: int | str) -> None:
    """Seeds the generators that layers such as dropout draw from, on the CPU and on `device`.

    `torch.manual_seed` would do, but where CUDA is installed and unused it puts a stack trace into a queue at
    every call, which takes longer than a small update.
    """
    torch.default_generator.manual_seed(mix(*key))
    if device.type != "cpu":
        torch.get_device_module(device).manual_seed(mix(*key))
