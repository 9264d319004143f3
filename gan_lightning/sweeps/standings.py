"""The answer of a race: its winner, what it cost, and how far each candidate got."""

from __future__ import annotations

import shlex
from datetime import timedelta

from gan_lightning.sweeps.collect import rounded
from gan_lightning.sweeps.race_record import Race
from gan_lightning.sweeps.table import one_line


def answer(race: Race) -> list[str]:
    """The lines that say who won, or who is still in the race, and what it cost so far."""
    lines = [race.note] if race.note else []
    if race.winner is None:
        open_ = ", ".join(shlex.join(race.candidates[name].overrides) for name in race.entrants())
        return [*lines, f"the race has not ended: {len(race.rungs)} of {len(race.sizes)} rungs; still in it: {open_}"]
    figure = race.rungs[-1][race.winner].objective
    assert figure is not None
    winner = shlex.join(race.candidates[race.winner].overrides)
    return [*lines, f"winner: {winner}: {race.objective} {rounded(figure)} after {race.labels()[-1]}", cost(race)]


def spent(race: Race) -> tuple[int, float]:
    """The images and the seconds that all candidates have been trained for so far."""
    results = [last[1] for name in race.candidates if (last := race.last(name)) is not None]
    return sum(result.images for result in results), sum(result.seconds for result in results)


def cost(race: Race) -> str:
    """What the race has spent, beside what the training of all candidates to the end would have."""
    images, seconds = spent(race)
    whole = sum(len(candidate.folders) * candidate.images[-1] for candidate in race.candidates.values())
    return (
        f"it took {images:,} images, {timedelta(seconds=round(seconds))} of training; all {len(race.candidates)} "
        f"candidates to the end are {whole:,} images, and this is {images / max(whole, 1):.0%} of them"
    )


def head(race: Race) -> list[str]:
    """The titles of the columns of `rows`."""
    return ["candidate", *(f"{race.objective} after {label}" for label in race.labels()), "images", "time", "outcome"]


def rows(race: Race) -> list[list[str]]:
    """The candidates as texts: first those that got farthest, the best of them first."""

    def order(name: str) -> tuple[int, int]:
        last = race.last(name)
        rung = -1 if last is None else last[0]
        best = race.after(rung, len(race.candidates)) if rung >= 0 else []
        return -rung, best.index(name) if name in best else len(best)

    shown = []
    for name in sorted(race.candidates, key=order):
        figures = [rung[name].objective if name in rung else None for rung in race.rungs]
        figures += [None] * (len(race.sizes) - len(race.rungs))
        last = race.last(name)
        account = ["", ""] if last is None else [f"{last[1].images:,}", str(timedelta(seconds=round(last[1].seconds)))]
        texts = ["" if figure is None else rounded(figure) for figure in figures]
        shown.append([shlex.join(race.candidates[name].overrides), *texts, *account, outcome(race, name)])
    return shown


def outcome(race: Race, name: str) -> str:
    """Why a candidate went no farther."""
    last = race.last(name)
    if last is None:
        return "it has not trained yet"
    rung, result = last
    if result.objective is None:
        return f"it failed: {one_line(result.reason or '')}"
    if name == race.winner:
        return "the winner"
    if rung + 1 == len(race.rungs) and not race.has_ended and name in race.entrants():
        return "it is still in the race"
    order = race.after(rung, len(race.candidates))
    return f"number {order.index(name) + 1} of {len(race.rungs[rung])} after {race.labels()[rung]}"
