"""Arguments that several command lines share, and their types for argparse."""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

from gan_lightning.errors import UserError


def add_sampling(parser: argparse.ArgumentParser) -> None:
    """Adds what samples of a trained generator depend on: the seed, the weights and the device."""
    parser.add_argument("--seed", type=int, default=0, help="seed of the latents (default: 0)")
    parser.add_argument("--raw", action="store_true", help="use the last weights, not their average (EMA)")
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1, mps")


def require_new_folder(out: Path) -> None:
    """Raises a UserError if the folder of `--out` has files already, or is none."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"--out {out}: expected a new or an empty folder, so that no other files are among these")


def make_folder(out: Path) -> None:
    """Makes the folder of `--out`, and raises an OSError if no file can be written there, ahead of long work."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=out):
        pass


def device_of(name: str) -> torch.device:
    """Returns the device that `--device` names.

    Raises:
        UserError: There is no such device.
    """
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UserError(f"--device {name}: {str(error).splitlines()[0]}. Expected cpu, cuda, cuda:1 or mps") from error
    return device


def whole_number_from(least: int) -> Callable[[str], int]:
    """Returns a type for argparse: whole numbers of at least `least`."""

    def whole_number(text: str) -> int:
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f"expected a whole number from {least}, got {text}")
        return number

    return whole_number


def number_above_0(text: str) -> float:
    """A type for argparse: finite numbers above 0."""
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return number


def number_from_0(text: str) -> float:
    """A type for argparse: finite numbers from 0."""
    number = float(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number from 0, got {text}")
    return number
