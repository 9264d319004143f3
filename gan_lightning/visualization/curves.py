"""The logged metrics of a run over its batches, from TensorBoard's files or from CSV files."""

from __future__ import annotations

import csv
import hashlib
import io
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from gan_lightning.errors import UserError
from gan_lightning.files import atomic, cache_folder, own_file
from gan_lightning.visualization.event_file import read_events

Series = Float64[np.ndarray, "points 2"]
"""(batch, value) of one logged metric, in the order of the batches."""
Points = dict[str, dict[int, float]]
"""The last value at each batch of each metric: a run that was killed and resumed has logged some batches twice."""
FORMAT = 1
"""The version of the cached curves: increase it when the same files would give others."""
DIGEST_SIZE = 16
"""The length in bytes of the checksum that a file of cached curves begins with."""
CACHED_FROM = 100_000
"""The size in bytes of a run's event files from which their curves are kept in the cache."""


def read_curves(folder: Path) -> dict[str, Series]:
    """Returns every metric that the run in `folder` logged to TensorBoard, or else to CSV files.

    Those of large files of TensorBoard are kept in the cache.

    Raises:
        UserError: A file is no file of the run, or a cell of a CSV file is no number.
    """
    files = sorted(own_file(path, folder) for path in folder.rglob("events.out.tfevents.*"))
    facts = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    if sum(size for _, size, _ in facts) < CACHED_FROM:
        return _tensorboard_series(files) or _csv_series(folder)
    name = _digest(str(folder.resolve()).encode()).hex()
    return _cached(cache_folder() / f"curves_{name}.npz", repr((FORMAT, facts)), files)


def _cached(cache: Path, facts: str, files: Sequence[Path]) -> dict[str, Series]:
    """The curves of `files` from the file `cache`, which is made again if its `facts` differ or it is damaged."""
    content = cache.read_bytes() if cache.exists() else b""
    if content[:DIGEST_SIZE] == _digest(content[DIGEST_SIZE:]):
        with np.load(io.BytesIO(content[DIGEST_SIZE:])) as stored:
            told, names, *arrays = (stored[key] for key in stored.files)
        if told.item() == facts:
            return dict(zip(names.tolist(), arrays, strict=True))
    found = _tensorboard_series(files)
    made = io.BytesIO()
    np.savez(made, np.array(facts), np.array(list(found), str), *found.values())
    with atomic(cache) as partial:
        partial.write_bytes(_digest(made.getvalue()) + made.getvalue())
    return found


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=DIGEST_SIZE).digest()


def natural_key(text: str) -> list[Any]:
    """Returns a key that sorts the numbers in texts by value: step_9 before step_10."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", text) if part]


def _tensorboard_series(files: Sequence[Path]) -> dict[str, Series]:
    found: dict[Path, Points] = {path.parent: {} for path in files}
    sessions = [(list(read_events(path)), path.parent) for path in files]
    # Not by name, which has the second alone: a run may be killed and resumed within one.
    for events, folder in sorted(sessions, key=lambda each: each[0][0].wall_time if each[0] else 0.0):
        points = found[folder]
        for event in events:
            kind = event.WhichOneof("what")
            if kind == "summary":
                for value in event.summary.value:
                    if value.HasField("simple_value"):
                        points.setdefault(value.tag, {})[event.step] = value.simple_value
            elif kind == "session_log" and event.session_log.status == event.session_log.START:
                # A session that goes on from a checkpoint: what an earlier one has logged after it did not happen.
                for series in points.values():
                    for step in [step for step in series if step >= event.step]:
                        del series[step]
    merged: Points = {}
    for points in found.values():
        for name, series in points.items():
            merged.setdefault(name, {}).update(series)
    return _sorted(merged)


def _csv_series(folder: Path) -> dict[str, Series]:
    found: Points = {}
    for path in sorted(folder.rglob("metrics.csv"), key=lambda path: natural_key(str(path))):
        with own_file(path, folder).open(encoding="utf-8") as lines:
            for number, row in enumerate(csv.DictReader(lines), 2):
                if row.get("step") is None:  # the last line of a run that was killed
                    continue
                try:
                    step = _bounded(row.pop("step"), 1e13)
                    for name, value in row.items():
                        if value:
                            found.setdefault(name, {})[int(step)] = _bounded(value, math.inf)
                except (TypeError, ValueError, OverflowError) as error:
                    raise UserError(f"{path}, line {number}: expected numbers under its names; {error}") from error
    return _sorted(found)


def _sorted(points: Points) -> dict[str, Series]:
    return {name: np.array(sorted(series.items()), np.float64).reshape(-1, 2) for name, series in points.items()}


def _bounded(text: str, largest: float) -> float:
    number = float(text)
    if abs(number) > largest:
        raise ValueError(f"{text:.40} is too large")
    return number
