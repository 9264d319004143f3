"""Prints the table of differences: `python -m tests.reference.table`. README.md has its output."""

import warnings

from tests.reference import (
    test_augmentation,
    test_biggan,
    test_extractors,
    test_heads,
    test_latents,
    test_losses,
    test_methods,
    test_networks,
    test_penalties,
    test_regularizers,
    test_steps,
    test_stylegan2,
)
from tests.reference.recordings import load

MODULES = (
    test_losses,
    test_penalties,
    test_regularizers,
    test_networks,
    test_heads,
    test_augmentation,
    test_steps,
    test_biggan,
    test_stylegan2,
    test_methods,
    test_extractors,
    test_latents,
)


def rows() -> list[tuple[str, ...]]:
    """The recording, the method, the source, and the largest differences of values and of gradients."""
    found = []
    for module in MODULES:
        for name, compare in module.CHECKS.items():
            recording = load(module.KIND, name)
            values, gradients = compare(recording)
            source = f"{recording.about['repository']} {recording.about['commit'][:7]}"
            shown = ("" if number is None else f"{number:.0e}" if number else "0" for number in (values, gradients))
            found.append((f"{module.KIND}/{name}", recording.about["method"], source, *shown))
    return found


def calls() -> list[tuple[str, ...]]:
    """The recording, what was called, and how the weights and inputs were drawn."""
    return [
        (f"{module.KIND}/{name}", recording.about["call"], recording.about["inputs"])
        for module in MODULES
        for name in module.CHECKS
        for recording in [load(module.KIND, name)]
    ]


def table(heading: tuple[str, ...], lines: list[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in [heading, tuple("---" for _ in heading), *lines])


def main() -> None:
    warnings.simplefilter("ignore")
    print(table(("recording", "method", "source", "values", "gradients"), rows()), end="\n\n")
    print(table(("recording", "what was called", "inputs"), calls()))


if __name__ == "__main__":
    main()
