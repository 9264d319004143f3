"""What a search varies: Hydra's sweeps of the command line as Optuna's distributions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hydra.core.override_parser.types import ChoiceSweep, Glob, IntervalSweep, Override, RangeSweep, Sweep, Transformer
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from gan_lightning.errors import UserError


def search_space(overrides: Iterable[Override]) -> dict[str, BaseDistribution]:
    """The distributions of the overrides that are sweeps, by key.

    `choice(...)` and `a,b` become a categorical distribution; `interval(...)` one of floats between its ends, which
    Hydra makes floats, and `int(interval(...))` one of integers; `range(...)` one of the numbers that Hydra lists for
    it, so without its stop. `tag(log, ...)` of an interval or a range counts by the logarithm. `shuffle(...)` changes
    nothing: the sampler has no order.

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
    sweep: Any = override.value()
    try:
        return _interval(sweep) if isinstance(sweep, IntervalSweep) else _discrete(sweep)
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{override.input_line}: {str(error).rstrip('.')}. Expected values (a,b), choice(...), range(...), "
            "interval(low, high) of floats or int(interval(low, high)); for a logarithmic scale tag(log, ...) around "
            "one of the last three"
        ) from error


def _interval(sweep: IntervalSweep) -> BaseDistribution:
    whole = isinstance(sweep.start, int) and isinstance(sweep.end, int)
    kind = IntDistribution if whole else FloatDistribution
    return kind(sweep.start, sweep.end, log=_is_log(sweep, "log"))  # type: ignore[arg-type]


def _discrete(sweep: ChoiceSweep | RangeSweep | Glob) -> BaseDistribution:
    if isinstance(sweep, Glob):
        raise ValueError("Optuna has no distribution for it")
    listed = sweep.list if isinstance(sweep, ChoiceSweep) else sweep.range()  # Hydra's own iterator shuffles
    values: list[Any] = list(map(Transformer.encode, listed))
    if not values:
        raise ValueError("it has no values")
    if isinstance(sweep, ChoiceSweep):
        _is_log(sweep)
        return CategoricalDistribution(values)
    kind = IntDistribution if all(isinstance(value, int) for value in values) else FloatDistribution
    step: Any = abs(sweep.step)
    return kind(min(values), max(values), step=step, log=_is_log(sweep, "log"))


def _is_log(sweep: Sweep, *known: str) -> bool:
    """Whether the sweep has a tag, which is one of the known ones."""
    unknown = sorted(sweep.tags - {*known})
    if unknown:
        raise ValueError(f"the tag {unknown[0]!r} has no meaning here")
    return bool(sweep.tags)
