"""The logged metrics of a run over its batches, from TensorBoard's files or from CSV files."""

from __future__ import annotations

import csv
import logging
import math
import re
from pathlib import Path
from typing import Any

from gan_lightning.errors import UserError
from gan_lightning.files import own_file

Series = list[tuple[int, float]]
"""(batch, value) of one logged metric."""


def read_curves(folder: Path) -> dict[str, Series]:
    """Returns every metric that the run in `folder` logged to TensorBoard, or else to CSV files.

    Raises:
        UserError: A file is no file of the run, or a cell of a CSV file is no number.
    """
    found = _tensorboard_series(folder) or _csv_series(folder)
    # The last value of each batch: a run that was killed and resumed has logged some batches twice.
    return {name: sorted(dict(series).items()) for name, series in found.items()}


def natural_key(text: str) -> list[Any]:
    """Returns a key that sorts the numbers in texts by value: step_9 before step_10."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", text) if part]


def _tensorboard_series(folder: Path) -> dict[str, Series]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logging.getLogger("tensorboard").setLevel(logging.ERROR)  # it logs a message at the end of each file
    found: dict[str, Series] = {}
    files = [own_file(path, folder) for path in folder.rglob("events.out.tfevents.*")]
    for place in sorted({path.parent for path in files}):
        events = EventAccumulator(str(place), size_guidance={"scalars": 0}).Reload()
        for tag in events.Tags()["scalars"]:
            found.setdefault(tag, []).extend((event.step, event.value) for event in events.Scalars(tag))
    return found


def _csv_series(folder: Path) -> dict[str, Series]:
    found: dict[str, Series] = {}
    for path in sorted(folder.rglob("metrics.csv"), key=lambda path: natural_key(str(path))):
        with own_file(path, folder).open(encoding="utf-8") as lines:
            for number, row in enumerate(csv.DictReader(lines), 2):
                if row.get("step") is None:  # the last line of a run that was killed
                    continue
                try:
                    step = _bounded(row.pop("step"), 1e13)
                    for name, value in row.items():
                        if value:
                            found.setdefault(name, []).append((int(step), _bounded(value, math.inf)))
                except (TypeError, ValueError, OverflowError) as error:
                    raise UserError(f"{path}, line {number}: expected numbers under its names; {error}") from error
    return found


def _bounded(text: str, largest: float) -> float:
    number = float(text)
    if abs(number) > largest:
        raise ValueError(f"{text:.40} is too large")
    return number
