"""The order of the checks of a configuration: its sections, each value and argument, combinations, memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from gan_lightning.config.arguments import argument_problems, shown
from gan_lightning.config.combinations import combination_problems
from gan_lightning.config.instantiate import Config, target_nodes
from gan_lightning.config.memory import memory_problems
from gan_lightning.config.values import value_problems


def plain_problems(config: Config, repeated: Collection[str] = ()) -> list[str]:
    """Returns a message for each problem of a configuration.

    Args:
        config: A resolved configuration.
        repeated: The keys whose values are interpolations, of a section or of a value of the same name. A problem is
            reported where the value is set, and not where it is repeated.
    """
    found = list(_structure_problems(config))
    if found:
        return found
    found = list(value_problems(config, repeated))
    faulty = {_key_of(problem) for problem in found}
    for key, node in target_nodes(config):
        if not any(key == section or key.startswith(f"{section}.") for section in repeated):
            found += [problem for problem in argument_problems(key, node) if _key_of(problem) not in faulty]
    faulty |= {_key_of(problem) for problem in found}
    found += combination_problems(config, faulty)
    return found or list(memory_problems(config))


def _key_of(problem: str) -> str:
    """Returns the key that a message begins with."""
    return problem.partition(": ")[0].partition("=")[0]


def _structure_problems(config: Config) -> Iterator[str]:
    """Yields a message for each section that is missing or is not a section."""
    for section in ("data", "model", "trainer", "callbacks", "logger"):
        node = config.get(section)
        if not isinstance(node, dict):
            yield f"{section}={shown(node)}: expected the options of a group, {section}=..."
        elif section in ("callbacks", "logger"):
            for name, part in node.items():
                if part is not None and not (isinstance(part, dict) and "_target_" in part):
                    yield f"{section}.{name}={shown(part)}: expected options with a _target_, or null"
        elif "_target_" not in node:
            yield f"{section}._target_: expected the name of a class"
