"""What a search varies: Hydra's sweeps of the command line as Optuna's distributions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hydra.core.override_parser.types import Glob, IntervalSweep, Override, Transformer
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from gan_lightning.errors import UserError


def search_space(overrides: Iterable[Override]) -> dict[str, BaseDistribution]:
    """The distributions of the overrides that are sweeps, by key.

    `choice(...)` and `a,b` become a categorical distribution; `interval(...)` one of numbers between its ends, of
    integers if both ends are, and by their logarithm with `tag(log, interval(...))`; `range(...)` one of the numbers
    that Hydra lists for it, so without its stop.

    Raises:
        UserError: There is no sweep, or one that has no distribution.
    """
    space = {o.get_key_element(): _distribution(o) for o in overrides if o.is_sweep_override()}
    if not space:
        raise UserError(
            "hydra.sweeper.params: it varies nothing. Expected a sweep for at least one key, such as "
            "model.optimizer.lr='tag(log, interval(1e-5, 1e-2))'"
        )
    return space


def _distribution(override: Override) -> BaseDistribution:
    try:
        return _interval(override) if override.is_interval_sweep() else _discrete(override)
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{override.input_line}: {error}. Expected values (a,b), choice(...), range(...) or interval(low, high), "
            "the last maybe as tag(log, interval(low, high))"
        ) from error


def _interval(override: Override) -> BaseDistribution:
    sweep: Any = override.value()
    assert isinstance(sweep, IntervalSweep)
    whole = isinstance(sweep.start, int) and isinstance(sweep.end, int)
    kind = IntDistribution if whole else FloatDistribution
    return kind(sweep.start, sweep.end, log="log" in sweep.tags)  # type: ignore[arg-type]


def _discrete(override: Override) -> BaseDistribution:
    if isinstance(override.value(), Glob):
        raise ValueError("Optuna has no distribution for it")
    values: list[Any] = list(override.sweep_iterator(transformer=Transformer.encode))
    if not values:
        raise ValueError("it has no values")
    if override.is_choice_sweep() or override.value().shuffle:  # type: ignore[union-attr]
        return CategoricalDistribution(values)
    kind = IntDistribution if all(isinstance(value, int) for value in values) else FloatDistribution
    step = abs(override.value().step)  # type: ignore
    return kind(min(values), max(values), step=step)
