"""The record of a race, from which it goes on, and which its page shows: who trained how far, and what it reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from gan_lightning.errors import UserError
from gan_lightning.files import own_file, read_json, write_json
from gan_lightning.sweeps import halving

LENGTHS = ("trainer.max_images", "trainer.max_steps", "trainer.max_epochs")
"""The keys that a race sets itself."""
FILE = "race.json"
"""The name of the record in the folder of a sweep."""


@dataclass(frozen=True)
class Candidate:
    """One that takes part.

    Attributes:
        overrides: What makes it different from the others, as typed.
        folders: The names of its run folders, one a seed.
        images: The number of images that a run has been trained on at the end of each rung.
    """

    overrides: list[str]
    folders: list[str]
    images: list[int]


@dataclass(frozen=True)
class Result:
    """What a candidate has reached at the end of a rung.

    Attributes:
        objective: The mean of its runs; None if one of them failed.
        images: The number of images that its runs have been trained on, all together, with those of earlier rungs.
        seconds: Their training time.
        reason: Why a run failed.
    """

    objective: float | None
    images: int
    seconds: float
    reason: str | None = None


@dataclass(frozen=True)
class Race:
    """A race.

    Attributes:
        command: What has to be the same when it goes on, by key.
        objective: The logged metric that decides.
        maximize: Whether larger values of it are better.
        unit: What the lengths count, which are equal for all candidates: images or minutes.
        lengths: The length of a run at the end of each rung.
        sizes: The number of candidates in each rung.
        candidates: The candidates by name, in the order in which they train.
        rungs: The results of the rungs that have ended, by candidate.
        note: What the candidates are, and what to know of the winner.
    """

    command: Mapping[str, Any]
    objective: str
    maximize: bool
    unit: str
    lengths: list[float]
    sizes: list[int]
    candidates: dict[str, Candidate]
    rungs: tuple[dict[str, Result], ...] = ()
    note: str = ""

    @property
    def has_ended(self) -> bool:
        return len(self.rungs) == len(self.sizes)

    @property
    def winner(self) -> str | None:
        """The best candidate of the last rung; None before its end."""
        return next(iter(self.after(len(self.rungs) - 1, 1)), None) if self.has_ended else None

    def labels(self) -> list[str]:
        """The lengths as texts."""
        return [
            f"{length:,.0f} images" if self.unit == "images" else f"{length:.3g} minutes" for length in self.lengths
        ]

    def entrants(self) -> list[str]:
        """The candidates of the next rung, in the order of their results so far."""
        rung = len(self.rungs)
        return self.after(rung - 1, self.sizes[rung]) if rung else list(self.candidates)

    def after(self, rung: int, count: int) -> list[str]:
        """The best of a rung that has ended, at most `count`."""
        return halving.best({name: r.objective for name, r in self.rungs[rung].items()}, count, self.maximize)

    def with_rung(self, results: dict[str, Result]) -> Race:
        """The same race after another rung."""
        return replace(self, rungs=(*self.rungs, results))

    def last(self, name: str) -> tuple[int, Result] | None:
        """The number of the last rung, from 0, that a candidate was in, and its result there; None before its first."""
        found = [(rung, results[name]) for rung, results in enumerate(self.rungs) if name in results]
        return found[-1] if found else None

    def rung_of(self, folder: str) -> int:
        """The number of the last rung that the candidate of a run folder was in; -1 for other folders."""
        own = (self.last(name) for name, candidate in self.candidates.items() if folder in candidate.folders)
        return next((last[0] for last in own if last is not None), -1)

    def write(self, folder: Path) -> None:
        write_json(asdict(self), folder / FILE)


def read(folder: Path) -> Race | None:
    """Reads the record of a race in the folder of a sweep; None if it is no race.

    Raises:
        UserError: It is damaged.
    """
    path = folder / FILE
    if not path.exists():
        return None
    content = read_json(own_file(path, folder))
    try:
        candidates = {name: Candidate(**found) for name, found in content.pop("candidates").items()}
        rungs = [{name: Result(**found) for name, found in rung.items()} for rung in content.pop("rungs")]
        race = Race(**content, candidates=candidates, rungs=tuple(rungs))
        _require_types(race)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise UserError(f"{path} is damaged: {error}. Without it, the race begins anew in another folder") from error
    return race


def _require_types(race: Race) -> None:
    """Raises a ValueError if a value is of another type than a race writes, or stands for nothing."""
    texts = [race.objective, race.note, race.unit, *race.candidates]
    counts = list(race.sizes)
    numbers: list[Any] = list(race.lengths)
    for candidate in race.candidates.values():
        texts += [*candidate.overrides, *candidate.folders]
        counts += candidate.images
        if not len(candidate.images) == len(race.sizes) == len(race.lengths):
            raise ValueError("a candidate has not one length for each rung")
    for rung in race.rungs:
        for name, result in rung.items():
            texts += [name, result.reason or ""]
            counts.append(result.images)
            numbers += [result.seconds, result.objective or 0]
            if name not in race.candidates:
                raise ValueError(f"{name:.100} is no candidate")
    whole = all(isinstance(count, int) and 0 <= count < 1e13 for count in counts)
    finite = all(isinstance(number, int | float) and abs(number) < 1e13 for number in numbers)
    plain = all(isinstance(text, str) for text in texts) and isinstance(race.command, Mapping)
    if not (whole and finite and plain and race.candidates and len(race.rungs) <= len(race.sizes)):
        raise ValueError("its values are of other types")
