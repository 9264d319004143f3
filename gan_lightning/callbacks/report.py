"""The report of a run: `report.html` in its folder, one page without other files."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from lightning import Callback
from matplotlib.axes import Axes

from gan_lightning.callbacks.report_page import PAGE, SCRIPT, STYLE
from gan_lightning.evaluation import report as evaluation
from gan_lightning.files import own_file
from gan_lightning.visualization import html, plots
from gan_lightning.visualization.curves import read_curves
from gan_lightning.visualization.pictures import read_picture
from gan_lightning.yaml_file import read_yaml

NAME = "report.html"
GRIDS = 20
"""The largest number of sample grids in the report; of more, evenly spaced ones."""
WIDEST, TALLEST = 800, 1600
"""The largest width and height in pixels of a picture in the report; the run folder has the rest."""
LONGEST_VIDEO = 8_000_000
"""The largest size in bytes of a video in the report."""
PLOTS = {
    "losses of D and G": {"discriminator": "loss/discriminator", "generator": "loss/generator"},
    "scores of D: mean of sigmoid(logit)": {"real": "score/real", "fake": "score/fake"},
}
"""The curves of each plot: logged metrics by their labels."""


class Report(Callback):
    """Lets the run end with `report.html`: samples, curves, quality, configuration and the next commands.

    Args:
        folder: The run folder.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def write(self, summary: Mapping[str, Any], commands: Mapping[str, str]) -> None:
        """Writes the report; an error becomes a warning.

        Args:
            summary: The content of `summary.json`.
            commands: The commands to use next, each by its purpose.
        """
        with errors_as_warnings():
            write(self.folder, summary, commands)


@contextlib.contextmanager
def errors_as_warnings() -> Iterator[None]:
    """Turns an error of a report into a warning: what it reports on has ended well."""
    try:
        yield
    except Exception as error:
        warnings.warn(f"{NAME} is not written: {type(error).__name__}: {error}", stacklevel=1)


def write(folder: Path, summary: Mapping[str, Any], commands: Mapping[str, str]) -> None:
    """Writes the report of a run that has ended, was interrupted or has failed, from the files of its folder.

    Raises:
        UserError: A file is damaged, or no file of the run.
    """
    config = read_yaml(own_file(folder / "config.yaml", folder), dict)
    defaults, composed = (_origin(folder, name) for name in ("default", "config"))
    changed, same = _settings(config, defaults, composed or {})
    html.write(
        folder / NAME,
        PAGE,
        STYLE,
        SCRIPT,
        title=f"{config.get('name', 'run')}, {folder.name}",
        facts=_facts(summary, config),
        reason=summary.get("reason"),
        grids=_grids(folder),
        video=_video(folder),
        doctor=_doctor(summary.get("doctor")),
        curves=_curves(folder),
        quality=_quality(folder, summary["final"]),
        commands=commands,
        changed=changed,
        same=same,
        compared=defaults is not None,
        versions={"git commit": summary.get("git_commit") or "unknown"} | summary["versions"],
    )


def _facts(summary: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, str]:
    best, processes, begun = summary.get("best"), summary["processes"], summary.get("init_from")
    return {
        "status": summary["status"],
        "batches": f"{summary['step']:,}",
        "images": f"{summary['images_seen']:,}",
        "time": str(timedelta(seconds=round(summary["seconds"]))),
        "images/s": f"{summary['images_per_second'] or 0:,.0f}",
        "device": summary["device"] + (f", {processes} processes" if processes > 1 else ""),
        "seed": str(config.get("seed")),
        **({"began with": f"{begun['loaded']} tensors of {begun['checkpoint']}"} if begun else {}),
        **({"best.ckpt": f"{best['metric']} {best['value']:.4g} at batch {best['step']:,}"} if best else {}),
    }


def _doctor(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What the doctor has found, with a plot for each finding; None: the run had none."""
    if found is None:
        return None
    findings = [
        finding | {"since": f"{finding['since']:,}", "plot": plots.png([_evidence(finding)])}
        for finding in found["findings"]
    ]
    rollbacks = [
        f"Rolled back from batch {each['from']:,} to {each['to']:,} ({each['reason']}), with {each['changed']}"
        for each in found["rollbacks"]
    ]
    return {"measurements": found["measurements"], "findings": findings, "rollbacks": rollbacks}


def _evidence(finding: Mapping[str, Any]) -> plots.Draw:
    name = f"doctor/{finding['sign']}"
    curve = plots.together(name, {name: np.array(finding["curve"], dtype=float)})

    def draw(axes: Axes) -> None:
        curve(axes)
        axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))  # a wiggle near 1 is none

    return draw


def _grids(folder: Path) -> list[dict[str, Any]]:
    """The sample grids that the slider shows, in order."""
    paths = sorted((folder / "samples").glob("step_*.png"))
    count = min(len(paths), GRIDS)
    chosen = [paths[round(place * (len(paths) - 1) / max(count - 1, 1))] for place in range(count)]
    return [_grid(path, folder) for path in chosen]


def _grid(path: Path, folder: Path) -> dict[str, Any]:
    picture = read_picture(path, folder)
    epoch = picture.info.get("epoch")
    caption = f"batch {int(path.stem.removeprefix('step_')):,}" + (f", epoch {epoch}" if epoch else "")
    return {"picture": html.encoded(picture, WIDEST, TALLEST), "caption": caption}


def _video(folder: Path) -> bytes | None:
    path = folder / "samples" / "video.mp4"
    if not path.exists() or path.stat().st_size > LONGEST_VIDEO:
        return None
    return own_file(path, folder).read_bytes()


def _curves(folder: Path) -> bytes | None:
    """A PNG of the losses, the scores and the first two metrics, as far as they were logged."""
    found = read_curves(folder)
    wanted = PLOTS | {name: {name: name} for name in [name for name in found if name.startswith("metric/")][:2]}
    shown = {
        title: {label: found[name] for label, name in names.items() if name in found} for title, names in wanted.items()
    }
    draws = [plots.together(title, curves) for title, curves in shown.items() if curves]
    return plots.png(draws) if draws else None


def _quality(folder: Path, final: Mapping[str, float | None]) -> dict[str, Any] | None:
    """The metrics of `gan-evaluate` with those of real data, else the last ones of training; None: there are none."""
    path = folder / evaluation.NAME
    if path.exists():
        return _evaluated(evaluation.read(own_file(path, folder)), folder)
    rows = [
        (name.removeprefix("metric/"), f"{v:.4g}") for name, v in final.items() if "metric/" in name and v is not None
    ]
    if not rows:
        return None
    return {"columns": ["metric", "value"], "rows": rows, "notes": ["At the end of training."], "nearest": None}


def _evaluated(found: evaluation.EvaluationReport, folder: Path) -> dict[str, Any]:
    protocol, baseline, memorization = found["protocol"], found["baseline"], found.get("memorization")
    rows = [
        (
            f"{name} {evaluation.ARROWS[metric['better']]}",
            evaluation.formatted(metric, "value", "std"),
            evaluation.formatted(metric, "baseline", "baseline_std"),
        )
        for name, metric in found["metrics"].items()
    ]
    real = f"real data, {baseline['images']:,} images" if baseline else "real data: none"
    note = (
        f"At batch {found['checkpoint']['step']:,}, {found['weights']} weights: {protocol['num']:,} images, "
        f"{protocol['repeats']} times; ↑ larger is better, ↓ smaller is better."
    )
    notes = [note]
    if memorization:
        notes.append(f"Memorization: {evaluation.memorization_line(memorization)}.")
    if "intra_fid" in found:
        notes.append(f"{evaluation.intra_class_line(found['intra_fid'])}.")
    picture = folder / evaluation.NAME.replace(".json", ".png")
    return {
        "columns": ["metric", "generated", real],
        "rows": rows,
        "notes": notes,
        "nearest": html.encoded(read_picture(picture, folder), 2 * WIDEST, TALLEST) if memorization else None,
    }


Setting = tuple[str, str, str]
"""A key of the configuration, its value, and its value by default."""


def _origin(folder: Path, name: str) -> dict[str, Any] | None:
    """A file that says where the configuration came from; None if there is none, as in a run from Python."""
    path = folder / ".hydra" / f"{name}.yaml"
    return read_yaml(own_file(path, folder), dict) if path.exists() else None


def _settings(
    config: Mapping[str, Any], defaults: Mapping[str, Any] | None, composed: Mapping[str, Any]
) -> tuple[list[Setting], list[Setting]]:
    """The settings that differ from the default, and the others; all are others where no default is known.

    What follows from other settings, as an interpolation of the composed configuration says, is among the others.
    """
    values, before = dict(_leaves(config)), dict(_leaves(defaults or config))
    derived = tuple(f"{key}." for key, text in _leaves(composed) if "${" in text)
    settings = [(key, values.get(key, "-"), before.get(key, "-")) for key in values | before]
    changed = [s for s in settings if s[1] != s[2] and not f"{s[0]}.".startswith(derived)]
    return changed, [s for s in settings if s not in changed]


def _leaves(node: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yields the values of a configuration as texts, by keys such as model.optimizer.lr."""
    if isinstance(node, Mapping) and node:
        for name, child in node.items():
            yield from _leaves(child, f"{key}.{name}" if key else str(name))
    else:
        yield key, "null" if node is None else str(node)
