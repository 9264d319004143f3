"""Published figures beside ours: the protocols in `conf/reproduce/`, what their runs found, and the verdicts."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf, open_dict

from gan_lightning.config.instantiate import rebase_paths
from gan_lightning.config.options import conf_folder, options
from gan_lightning.config.resolvers import register_resolvers
from gan_lightning.files import write_json
from gan_lightning.sweeps.collect import WITHOUT_EFFECT, Run, as_text, find
from gan_lightning.sweeps.table import half_width, results_of, student, with_interval
from gan_lightning.terminal import printable

FILE = "reproduction.json"
FREE = (
    *WITHOUT_EFFECT,
    *("trainer.log_every_n_steps", "trainer.steps_per_block", "trainer.deterministic", "model.compile"),
    *("callbacks.checkpoints", "callbacks.samples.every_n", "callbacks.video", "callbacks.report"),
    *("run_dir", "seed", "data.seed", "model.seed"),
)
"""Beginnings of the keys that may differ from the protocol: seeds, and what changes rounding at most."""
UNKNOWN = object()
"""What a key of the run has in a protocol without it."""
PLACE = "/run"
"""The run folder in a protocol."""
NOT_RUN, REPRODUCED, NOT_REPRODUCED = "not run", "reproduced", "not reproduced"


@dataclass(frozen=True)
class Published:
    """A published figure.

    Attributes:
        metric: The logged metric that measures it.
        value: The figure.
        case: The values of the swept keys that it is for.
        standard_error: The published standard error of the figure, over `trials` runs; None: there is none.
        trials: The number of the authors' runs.
        tolerance: The largest difference at which ours counts as the same, instead of a comparison of intervals.
    """

    metric: str
    value: float
    case: Mapping[str, Any] = field(default_factory=dict)
    standard_error: float | None = None
    trials: int = 1
    tolerance: float | None = None

    @property
    def half_width(self) -> float | None:
        """Half the width of the figure's 95% confidence interval; None without a standard error."""
        return None if self.standard_error is None else student(self.trials) * self.standard_error


@dataclass(frozen=True)
class Entry:
    """A file of `conf/reproduce/`: where the figures are published, the number of our seeds, and where the protocol
    differs from the published one.
    """

    name: str
    source: str
    figures: list[Published]
    seeds: int
    note: str


@dataclass(frozen=True)
class Row:
    """A published figure beside ours; `ours` is the mean over the seeds, with half its 95% confidence interval."""

    name: str
    source: str
    case: str
    metric: str
    published: float
    published_half_width: float | None
    ours: float | None
    half_width: float | None
    seeds: int
    minutes: float
    verdict: str
    note: str


def entry(name: str) -> Entry:
    """Reads an entry of `conf/reproduce/`."""
    composed = _composed(name)
    config: Any = OmegaConf.to_container(composed.reproduce)
    common = {key: config[key] for key in ("trials", "tolerance") if key in config}
    figures = [Published(**common | figure) for figure in config["published"]]
    seeds = len(str(composed.hydra.sweeper.params.seed).split(","))
    return Entry(name, config["source"], figures, seeds, config.get("note", ""))


def rows(runs: Sequence[Run], name: str) -> Iterator[Row]:
    """Compares each figure of an entry with the runs of that entry among `runs`."""
    found = entry(name)
    for case, figures in itertools.groupby(found.figures, key=lambda figure: figure.case):
        values = {key: as_text(value) for key, value in case.items()}
        own = [run for run in runs if run.choices.get("reproduce") == name]
        own = [run for run in own if all(as_text(run.value(key)) == value for key, value in values.items())]
        expected = protocol(name, values) if own else {}
        changed = {run.name: changes(run, expected) for run in own}
        exact = [run for run in own if not changed[run.name]]
        for figure in figures:
            results = results_of(exact, figure.metric)
            yield Row(
                name=name,
                source=found.source,
                case=" ".join(f"{key}={value}" for key, value in values.items()),
                metric=figure.metric,
                published=figure.value,
                published_half_width=figure.half_width,
                ours=statistics.mean(results) if results else None,
                half_width=half_width(results),
                seeds=len(results),
                minutes=sum(run.summary.get("seconds") or 0 for run in exact) / 60,
                verdict=verdict(figure, results, found.seeds) if exact else next(iter(changed.values()), NOT_RUN),
                note=found.note,
            )


def verdict(figure: Published, results: Sequence[float], seeds: int) -> str:
    """Says whether our results reproduce a published figure.

    They do if their mean is within the figure's `tolerance`; where it has none, if our 95% confidence interval and the
    published one overlap.

    Args:
        figure: The published figure.
        results: Ours, one a seed, of runs with the protocol unchanged.
        seeds: The number of seeds that a verdict needs.
    """
    if len(results) < seeds:
        return f"in part: {len(results)} of {seeds} seeds"
    distance = abs(statistics.mean(results) - figure.value)
    overlap = (figure.half_width or 0.0) + (half_width(results) or 0.0)
    allowed = overlap if figure.tolerance is None else figure.tolerance
    return REPRODUCED if distance <= allowed else NOT_REPRODUCED


def protocol(name: str, case: Mapping[str, str]) -> dict[str, Any]:
    """Returns the configuration of an entry's runs, each value by its key, as the files in `conf/` compose it today."""
    values = [f"{key}={value}" for key, value in case.items()]
    composed = _composed(name, *values, f"run_dir={PLACE}")
    with open_dict(composed):
        del composed.hydra
    config: Any = OmegaConf.to_container(composed, resolve=True)
    return dict(_leaves(config))


def changes(run: Run, expected: Mapping[str, Any]) -> str:
    """Says in which values a run differs from its protocol; "" if in none.

    A key that only the protocol has is newer than the run, and has the value that the run had without it.
    """
    config = rebase_paths(run.config, run.config["run_dir"], PLACE)
    differing = [
        f"{key}={as_text(value)}" + (f" (protocol: {as_text(expected[key])})" if key in expected else "")
        for key, value in _leaves(config)
        if not key.startswith(FREE) and expected.get(key, UNKNOWN) != value
    ]
    return f"changed: {', '.join(differing)}" if differing else ""


def _leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yields each value of nested dicts with its key; a list is a value, and so is an empty dict."""
    if isinstance(node, dict) and node:
        for name, child in node.items():
            yield from _leaves(child, f"{path}.{name}".lstrip("."))
    else:
        yield path, node


def _composed(name: str, *values: str) -> DictConfig:
    register_resolvers()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return compose("config", [f"reproduce={name}", *values], return_hydra_config=True)


def write(found: Sequence[Row], folder: Path) -> None:
    """Prints the table, and writes it to `reproduction.json` in `folder`."""
    print("\n".join(lines_of(found)))
    write_json({"figures": [asdict(row) for row in found]}, folder / FILE)


def write_all(folder: Path) -> None:
    """Prints and writes the table of all entries; an entry of which `folder` has no runs is not run."""
    runs = find(folder) if any(folder.rglob("summary.json")) else []
    folder.mkdir(parents=True, exist_ok=True)
    write([row for name in options("reproduce") for row in rows(runs, name)], folder)


def rows_of(runs: Sequence[Run]) -> list[Row]:
    """The rows of the entries that the runs belong to."""
    names = {run.choices.get("reproduce") for run in runs}
    return [row for name in options("reproduce") if name in names for row in rows(runs, name)]


HEAD = ("figure", "of", "metric", "published", "ours", "seeds", "minutes", "verdict")


def cells_of(row: Row) -> list[str]:
    """A row as texts, in the order of `HEAD`."""
    return [
        row.name,
        row.case,
        row.metric.removeprefix("metric/"),
        with_interval(row.published, row.published_half_width),
        with_interval(row.ours, row.half_width),
        str(row.seeds),
        f"{row.minutes:.0f}",
        row.verdict,
    ]


def lines_of(found: Sequence[Row]) -> list[str]:
    """The lines of the table, in Markdown, and of the notes below it."""
    body = [cells_of(row) for row in found]
    widths = [max(map(len, column)) for column in zip(HEAD, *body, strict=True)]
    lines = (HEAD, ["-" * width for width in widths], *body)
    table = [f"| {' | '.join(map(str.ljust, line, widths))} |" for line in lines]
    notes = dict.fromkeys(f"{row.name}: {row.note}" for row in found if row.note)
    return [printable(line) for line in (*table, *([""] if notes else []), *notes)]
