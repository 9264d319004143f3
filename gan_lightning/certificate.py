"""Certificates of evaluation: written, read, and compared only where their protocols are the same."""

from __future__ import annotations

import json
import math
import os
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gan_lightning.errors import UserError
from gan_lightning.metrics.figures import FIGURES

NAME = "evaluation.json"
ARROWS = {"min": "↓", "max": "↑"}
Certificate = dict[str, Any]


def summarised(
    repeats: Sequence[dict[str, float]], floor: Sequence[dict[str, float | None]]
) -> dict[str, dict[str, Any]]:
    """Every figure with its mean and standard deviation over repeats, and over those of the floor."""
    return {
        name: {
            **_mean_and_deviation([found[name] for found in repeats], "value", "std"),
            **_mean_and_deviation([found[name] for found in floor], "floor", "floor_std"),
            "better": FIGURES[name],
        }
        for name in repeats[0]
    }


def _mean_and_deviation(values: Sequence[float | None], mean: str, deviation: str) -> dict[str, float | None]:
    finite = [value for value in values if value is not None and math.isfinite(value)]
    whole = bool(values) and len(finite) == len(values)
    return {
        mean: statistics.mean(finite) if whole else None,
        deviation: statistics.stdev(finite) if whole and len(values) > 1 else None,
    }


def path_of(place: str | Path) -> Path:
    """Where the certificate of a run folder (that is, its last checkpoint), or of a checkpoint, belongs."""
    path = Path(place)
    if path.suffix == ".json":
        return path
    if path.suffix != ".ckpt":
        return path / NAME
    folder = path.parent.parent if path.parent.name == "checkpoints" else path.parent
    return folder / (NAME if path.stem == "last" else f"evaluation_{path.stem}.json")


def read(place: str | Path) -> Certificate:
    """The certificate of a run folder, of a checkpoint, or of a path.

    Raises:
        UserError: there is none, or the file is something else.
    """
    path = path_of(place)
    try:
        certificate = json.loads(path.read_text())
        if {"figures", "protocol"} <= certificate.keys():
            return certificate
    except FileNotFoundError as error:
        raise UserError(
            f"there is no certificate at {path}. Make it: python -m gan_lightning.evaluate {place}"
        ) from error
    except (OSError, ValueError, AttributeError):
        pass
    raise UserError(f"{path} is not a certificate of gan_lightning.evaluate")


def comparison(places: Sequence[str]) -> str:
    """A table of certificates, a column each, beside their floor.

    Raises:
        UserError: their protocols differ; it says in what.
    """
    certificates = [read(place) for place in places]
    _require_same_protocol(places, certificates)
    first = certificates[0]["figures"]
    columns = [["", *(f"{name} {ARROWS[figure['better']]}" for name, figure in first.items()), "step", "weights"]]
    for title, found in zip(_titles(places), certificates, strict=True):
        figures = [_spelled(found["figures"][name], "value", "std") for name in first]
        columns.append([title, *figures, f"{found['checkpoint']['step']:,}", found["weights"]])
    floor = certificates[0]["floor"]
    title = f"floor, {floor['images']:,} images" if floor else "floor: none"
    columns.append([title, *(_spelled(figure, "floor", "floor_std") for figure in first.values()), "", ""])
    widths = [max(map(len, column)) for column in columns]
    rows = zip(*columns, strict=True)
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _titles(places: Sequence[str]) -> list[str]:
    """The places without the folders that all have in common."""
    paths = [os.path.abspath(place).removesuffix(f"{os.sep}{NAME}") for place in places]
    common = os.path.commonpath([os.path.dirname(path) for path in paths])
    return [os.path.relpath(path, common) for path in paths]


def _require_same_protocol(places: Sequence[str], certificates: Sequence[Certificate]) -> None:
    protocols = [certificate["protocol"] for certificate in certificates]
    keys = dict.fromkeys(key for protocol in protocols for key in protocol)
    differences = [
        f"{key}: "
        + ", ".join(f"{protocol.get(key)!r} in {place}" for protocol, place in zip(protocols, places, strict=True))
        for key in keys
        if any(protocol.get(key) != protocols[0].get(key) for protocol in protocols)
    ]
    if differences:
        raise UserError(
            "these certificates cannot be compared, for their protocols differ:"
            + "".join(f"\n  {difference}" for difference in differences)
            + "\nEvaluate again with the same options"
        )


def _spelled(figure: dict[str, Any], value: str, deviation: str) -> str:
    if figure[value] is None:
        return "-"
    return f"{figure[value]:.4g}" + (f" ± {figure[deviation]:.2g}" if figure[deviation] is not None else "")
