"""Is a run that was killed and resumed the same as one that was not? For `kills.py` and `kill_loop.py`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from gan_lightning.tensor_file import load_tensors

STATE = ("state_dict", "optimizer_states", "loops", "epoch", "global_step")
"""The parts of a checkpoint that are the state of training; others have the time and the session's configuration."""
OF_SESSIONS = (".hydra/", "events.", "train.log")
"""Files of which each session of a run writes its own."""
SAME_BYTES = (".png", ".gif")
"""The endings of files without a time in them."""


def files(folder: Path) -> set[str]:
    """The files of a run, relative to its folder."""
    found = (str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
    return {file for file in found if not file.startswith(OF_SESSIONS)}


def problems(run: Path, undisturbed: Path) -> list[str]:
    """What differs between two runs, in words; an empty list if nothing does."""
    found = [f"{name} is superfluous" for name in sorted(files(run) - files(undisturbed))]
    found += [f"{name} is missing" for name in sorted(files(undisturbed) - files(run))]
    found += [
        f"{name} differs"
        for name in sorted(files(run) & files(undisturbed))
        if name.endswith(SAME_BYTES) and (run / name).read_bytes() != (undisturbed / name).read_bytes()
    ]
    for name in sorted(file for file in files(run) & files(undisturbed) if file.endswith(".safetensors")):
        one, other = (load_tensors(folder / name) for folder in (run, undisturbed))  # their metadata has no order
        found += [f"{name}: {place} differs" for place in differences(one, other, "")]
    summary = run / "summary.json"
    status = json.loads(summary.read_text())["status"] if summary.exists() else None
    if status != "finished":
        found.append(f"its status is {status}")
    last = Path("checkpoints", "last.ckpt")
    if (run / last).exists() and (undisturbed / last).exists():
        one, other = (torch.load(folder / last, weights_only=True) for folder in (run, undisturbed))
        found += [f"{place} differs" for key in STATE for place in differences(one[key], other[key], key)]
    return found


def differences(one: Any, other: Any, place: str) -> Iterator[str]:
    """The places where two nests of containers and tensors are not equal to the bit."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        if not torch.equal(one, other):
            yield place
    elif isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() | other.keys():
            yield from differences(one.get(key), other.get(key), f"{place}/{key}")
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        for index, (a, b) in enumerate(zip(one, other, strict=True)):
            yield from differences(a, b, f"{place}/{index}")
    elif isinstance(one, torch.Tensor) or isinstance(other, torch.Tensor) or one != other:
        yield place
