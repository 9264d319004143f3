"""Evaluation reports: summarized, found, read and compared. `cli/evaluate.py` measures and writes them."""

from __future__ import annotations

import json
import math
import os
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gan_lightning.errors import UserError
from gan_lightning.files import own_file
from gan_lightning.metric_names import BETTER
from gan_lightning.terminal import printable

NAME = "evaluation.json"
ARROWS = {"min": "↓", "max": "↑"}
SHOWN_CLASSES = 20
"""The largest number of classes whose FIDs are printed."""
EvaluationReport = dict[str, Any]


def summarized(
    repeats: Sequence[dict[str, float]], baseline: Sequence[Mapping[str, float | None]]
) -> dict[str, dict[str, Any]]:
    """The mean and standard deviation of every metric over the repeats, and over those of the real-data baseline.

    A row of the baseline may lack metrics, and some metrics have no baseline.
    """
    return {
        name: {
            **mean_and_deviation([found[name] for found in repeats], "value", "std"),
            **mean_and_deviation([found[name] for found in baseline if name in found], "baseline", "baseline_std"),
            "better": BETTER[name],
        }
        for name in repeats[0]
    }


def mean_and_deviation(values: Sequence[float | None], mean: str, deviation: str) -> dict[str, float | None]:
    """The mean and the standard deviation of values by these names; None where a value is missing or not finite."""
    finite = [value for value in values if value is not None and math.isfinite(value)]
    whole = bool(values) and len(finite) == len(values)
    return {
        mean: statistics.mean(finite) if whole else None,
        deviation: statistics.stdev(finite) if whole and len(values) > 1 else None,
    }


def path_of(place: str | Path) -> Path:
    """The path of the evaluation report of a run folder (for its last checkpoint), or of a checkpoint."""
    path = Path(place)
    if path.suffix == ".json":
        return path
    if path.suffix != ".ckpt":
        return path / NAME
    folder = path.parent.parent if path.parent.name == "checkpoints" else path.parent
    return folder / (NAME if path.stem == "last" else f"evaluation_{path.stem}.json")


def read(place: str | Path) -> EvaluationReport:
    """The evaluation report of a run folder, of a checkpoint, or of a path.

    Raises:
        UserError: There is none, or the file is not an evaluation report.
    """
    path = path_of(place)
    if not path.exists():
        raise UserError(f"there is no evaluation report at {path}. Create it: gan-evaluate {place}")
    try:
        report = json.loads(own_file(path, path.parent).read_text())
        if _is_report(report):
            return report
    except (OSError, ValueError, RecursionError):
        pass
    raise UserError(f"{path} is not an evaluation report of gan-evaluate")


def _is_report(report: Any) -> bool:
    """Whether the parts that a comparison shows have the types that gan-evaluate writes."""
    try:
        metrics, baseline = report["metrics"], report["baseline"] or {"images": 0}
        values = [metric[name] for metric in metrics.values() for name in ("value", "std", "baseline", "baseline_std")]
        return (
            all(metric["better"] in ARROWS for metric in metrics.values())
            and all(value is None or math.isfinite(value) for value in values)
            and isinstance(report["protocol"], dict)
            and isinstance(report["weights"], str)
            and all(isinstance(number, int) for number in (report["checkpoint"]["step"], baseline["images"]))
        )
    except (AttributeError, KeyError, OverflowError, TypeError):
        return False


def comparison(places: Sequence[str]) -> str:
    """A table with one column per evaluation report, and one for the real-data baseline.

    Raises:
        UserError: The protocols differ; the message has the differences.
    """
    reports = [read(place) for place in places]
    _require_same_protocol(places, reports)
    first = reports[0]["metrics"]
    columns = [["", *(f"{name} {ARROWS[metric['better']]}" for name, metric in first.items()), "step", "weights"]]
    for title, found in zip(_titles(places), reports, strict=True):
        metrics = [formatted(found["metrics"].get(name), "value", "std") for name in first]
        columns.append([title, *metrics, f"{found['checkpoint']['step']:,}", found["weights"]])
    baseline = reports[0]["baseline"]
    title = f"real data, {baseline['images']:,} images" if baseline else "real data: none"
    columns.append([title, *(formatted(metric, "baseline", "baseline_std") for metric in first.values()), "", ""])
    columns = [list(map(printable, column)) for column in columns]
    widths = [max(map(len, column)) for column in columns]
    rows = zip(*columns, strict=True)
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _titles(places: Sequence[str]) -> list[str]:
    """The paths without the folders that all have in common."""
    paths = [os.path.abspath(place).removesuffix(f"{os.sep}{NAME}") for place in places]
    common = os.path.commonpath([os.path.dirname(path) for path in paths])
    return [os.path.relpath(path, common) for path in paths]


def _require_same_protocol(places: Sequence[str], reports: Sequence[EvaluationReport]) -> None:
    protocols = [report["protocol"] for report in reports]
    keys = dict.fromkeys(key for protocol in protocols for key in protocol)
    differences = [
        f"{key}: "
        + ", ".join(f"{protocol.get(key)!r} in {place}" for protocol, place in zip(protocols, places, strict=True))
        for key in keys
        if any(protocol.get(key) != protocols[0].get(key) for protocol in protocols)
    ]
    if differences:
        raise UserError(
            "these evaluation reports cannot be compared, for their protocols differ:"
            + "".join(f"\n  {difference}" for difference in differences)
            + "\nEvaluate again with the same options"
        )


def memorization_line(found: dict[str, Any]) -> str:
    """What the memorization metrics of an evaluation report say."""
    result = "it repeats training images" if found["flagged"] else "no sign of memorization"
    share = found["of_them_training_images"] / max(found["nearest_real_images"], 1)
    return (
        f"{result}: of {found['nearest_real_images']} real images that lie nearest, {share:.1%} are training images, "
        f"chance {found['expected_by_chance']:.1%}; distance ratio {found['distance_ratio']:.3f}"
    )


def intra_class_line(found: dict[str, Any]) -> str:
    """The FIDs of the classes in an evaluation report, the largest first, and which of them have too few images."""
    classes = sorted(found["classes"].items(), key=lambda item: -item[1]["value"])
    shown = ", ".join(f"{name} {formatted(metric, 'value', 'std')}" for name, metric in classes[:SHOWN_CLASSES])
    rest = f" and {len(classes) - SHOWN_CLASSES} better ones" if len(classes) > SHOWN_CLASSES else ""
    images = [min(metric["real_images"], found["images"]) for _, metric in classes]
    few = [number for number in images if number <= found["dimensions"]]
    if not few:
        return f"FID of each class: {shown}{rest}"
    return (
        f"FID of each class: {shown}{rest}. {len(few)} of {len(classes)} classes have too few images, real or "
        f"generated, the least {min(few)}: below the {found['dimensions']} features, a FID is mostly bias"
    )


def formatted(metric: dict[str, Any] | None, value: str, deviation: str) -> str:
    """The value of a metric with its standard deviation, by their names in the report, as text."""
    if metric is None or metric[value] is None:
        return "-"
    return f"{metric[value]:.4g}" + (f" ± {metric[deviation]:.2g}" if metric[deviation] is not None else "")
