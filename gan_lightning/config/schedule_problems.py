"""Rules for schedules: the numbers that they name, and their curves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gan_lightning.config.instantiate import Config, instantiate
from gan_lightning.config.values import RULES


def schedule_problems(config: Config) -> Iterator[str]:
    """Yields messages on schedules of numbers that do not exist, and on curves that cannot be."""
    from gan_lightning.schedules import NAMES, NAMES_SHOWN, Schedule, by_name

    example = "a curve, such as {_target_: gan_lightning.schedules.Linear, end: 0, until: 1000}, or null"
    trainer = config["trainer"]
    endless = all(trainer.get(f"max_{unit}") in (None, -1) for unit in ("steps", "epochs", "images"))
    schedules = config["model"].get("schedules")
    for name, node in by_name(schedules if isinstance(schedules, dict) else {}):
        key = f"model.schedules.{name}"
        place = f"{'callbacks' if name.startswith('ema.') else 'model'}.{name}"
        if not NAMES.fullmatch(name):
            yield f"{key}: expected the name of a number that can have a schedule: {NAMES_SHOWN}"
        elif not isinstance(_number_at(config, place), int | float):
            yield f"{key}: there is no number {place} to schedule; set it, or this to null"
        elif not isinstance(node, dict):
            yield f"{key}={node!r}: expected {example}"
        else:
            try:
                curve = instantiate(node, "model")
            except ValueError as error:
                yield f"{key}.{error}"
                continue
            if not isinstance(curve, Schedule):
                yield f"{key}: {node['_target_']} is none; expected {example}"
            elif curve.unit == "run" and endless:
                yield f"{key}.unit=run: the run has no end; set trainer.max_steps, or another unit"
            yield from _curve_problems(key, name, node)


def _number_at(config: Config, key: str) -> Any:
    """Returns what is at a key, in which numbers are positions in lists; None if there is nothing."""
    node: Any = config
    for name in key.split("."):
        if isinstance(node, list):
            node = node[int(name)] if name.isdigit() and int(name) < len(node) else None
        else:
            node = node.get(name) if isinstance(node, dict) else None
    return node


def _curve_problems(key: str, name: str, node: Config) -> Iterator[str]:
    """Yields messages on numbers of a curve that the scheduled number may not have; a learning rate may be 0."""
    limits = {"betas": "decay", "momentum": "decay", "p": "p", "share": "share"}
    rule = next((RULES[limits[part]] for part in reversed(name.split(".")) if part in limits), None)
    for argument in ("start", "end", "before", "value", "floor"):
        if rule and node.get(argument) is not None and not rule.allows(node[argument]):
            yield f"{key}.{argument}={node[argument]}: expected {rule.expected}"
