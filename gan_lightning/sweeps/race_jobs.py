"""The jobs of a race: the overrides and the run folders of its candidates."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from gan_lightning.config.quoting import quoted
from gan_lightning.config.resolvers import job_folder
from gan_lightning.errors import UserError
from gan_lightning.sweeps.race_record import LENGTHS

Lines = dict[str, str]
"""Overrides as typed, by their keys."""


def parsed(candidate: str) -> list[str]:
    """The overrides of a candidate: words as on the command line, of which one without `=` is a model."""
    return [word if "=" in word or word.startswith("~") else f"model={word}" for word in shlex.split(candidate)]


def grid(swept: Sequence[Override]) -> list[list[str]]:
    """The combinations of the values of sweeps, in the order of the values.

    Raises:
        UserError: A sweep is an interval, which has no values to list.
    """
    continuous = [each.input_line for each in swept if not each.is_discrete_sweep()]
    if continuous:
        raise UserError(
            f"{continuous[0]}: a race needs values, such as a,b or range(1,4); sweep=optuna takes intervals"
        )
    values = [[f"{each.get_key_element()}={value}" for value in each.sweep_string_iterator()] for each in swept]
    return [list(combination) for combination in itertools.product(*values)]


@dataclass(frozen=True)
class Jobs:
    """What makes jobs of candidates.

    Attributes:
        fixed: The overrides that all candidates have.
        entries: Those of each candidate, by its name; they count more than `fixed`.
        seeds: The seeds of each candidate, as overrides; none: that of the configuration.
        rungs: The number of rungs.
    """

    fixed: Lines
    entries: dict[str, Lines]
    seeds: list[str]
    rungs: int

    def runs(self, name: str) -> dict[str, str]:
        """The names of a candidate's run folders, one a seed, with the override of the seed; "" for no override."""
        return {f"{name},{seed}": seed for seed in self.seeds} or {name: ""}

    def overrides(
        self, name: str, seed: str, folder: str, length: Mapping[str, int], more: Sequence[str] = ()
    ) -> list[str]:
        """The overrides of the job of a candidate.

        Args:
            name: The candidate.
            seed: The override of the seed, or "".
            folder: The run folder in the sweep's folder.
            length: The length of the run, by one of `LENGTHS`.
            more: Other overrides.
        """
        typed = self.fixed | self.entries[name]
        lengths = {"trainer.max_images": "null", "trainer.max_steps": -1, "trainer.max_epochs": -1} | dict(length)
        constant = [key for key in (*self.fixed, *LENGTHS) if key not in self.entries[name] and key != "seed"]
        return [
            *(typed | ({"seed": seed} if seed else {})).values(),
            *(f"{key}={value}" for key, value in lengths.items()),
            *more,
            f"hydra.sweep.subdir={quoted(folder)}",
            f"hydra.sweeper.rungs={self.rungs}",
            f"hydra.job.config.override_dirname.exclude_keys={constant}",  # the others are what TensorBoard compares
        ]


def jobs_of(
    overrides: Mapping[str, Override],
    candidates: Sequence[Sequence[str]],
    rungs: int,
    starts_from: Collection[str] = (),
) -> Jobs:
    """Names the candidates, and checks that they can race.

    Args:
        overrides: Those of the command line, by key.
        candidates: The overrides of each candidate.
        rungs: The number of rungs.
        starts_from: The keys whose values the candidates start from, so that they have an effect.

    Raises:
        UserError: A candidate is given twice, holds a sweep or the length of the run; or a value of the command line
            has no effect, since each candidate has its own.
    """
    parser = OverridesParser.create()
    entries: dict[str, Lines] = {}
    for candidate in candidates:
        found = parser.parse_overrides(list(candidate))
        text = shlex.join(candidate)
        if not found or any(each.is_sweep_override() for each in found):
            raise UserError(f"hydra.sweeper.candidates: {text!r}: expected overrides with one value each")
        lines = {each.key_or_group: str(each.input_line) for each in found}
        if lines in entries.values():
            raise UserError(f"hydra.sweeper.candidates: {text!r} is there twice")
        name = job_folder(",".join(lines.values()), len(entries))
        entries[f"{name}_{len(entries)}" if name in entries else name] = lines
    fixed = {key: str(each.input_line) for key, each in overrides.items() if not each.is_sweep_override()}
    _require_effect(fixed, entries, starts_from)
    swept = [each for key, each in overrides.items() if key == "seed" and each.is_sweep_override()]
    return Jobs(fixed, entries, [line for combination in grid(swept) for line in combination], rungs)


def _require_effect(fixed: Lines, entries: Mapping[str, Lines], starts_from: Collection[str]) -> None:
    for lines in (fixed, *entries.values()):
        for key in set(LENGTHS) & lines.keys():
            raise UserError(
                f"{lines[key]}: a race sets the lengths of its runs. Give that of the longest, by "
                "hydra.sweeper.images or hydra.sweeper.minutes"
            )
    for key, line in fixed.items():
        if key not in starts_from and all(key in own for own in entries.values()):
            raise UserError(
                f"{line}: it has no effect, since each candidate has a value of its own. Leave it out, or choose the "
                "candidates: hydra.sweeper.candidates=[...], or values such as model=gan_r1,r3gan"
            )
