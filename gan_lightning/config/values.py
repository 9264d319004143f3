"""Rules for single values of a configuration: types, and bounds that keep a slip from filling the memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

from gan_lightning.config.arguments import shown


class Rule(NamedTuple):
    """Whether a value is allowed, and a description of the allowed values for the message."""

    allows: Callable[[Any], bool]
    expected: str


def _number(low: float, high: float = math.inf, *, open_low: bool = False, open_high: bool = True) -> Rule:
    def allows(value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float) or _is_too_large(value):
            return False
        return (low < value if open_low else low <= value) and (value < high if open_high else value <= high)

    above = f"above {low}" if open_low else f"from {low}"
    below = f"below {high}" if open_high else f"up to {high}" if open_low else f"{high}"
    return Rule(allows, f"a number {above}" + ("" if high == math.inf else (", " if open_low else " to ") + below))


def _is_too_large(value: Any) -> bool:
    """Whether torch's integers of 64 bits, or its floats of 32, cannot hold a number."""
    return abs(value) >= (2**63 if isinstance(value, int) else 2.0**128)


def _whole(low: int, high: int) -> Rule:
    def allows(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high

    return Rule(allows, f"a whole number from {low} to {high}")


def _optional(rule: Rule, meaning: str = "") -> Rule:
    return Rule(lambda value: value is None or rule.allows(value), f"{rule.expected}, or null{meaning}")


def _list_of(rule: Rule, expected: str, length: int | None = None) -> Rule:
    def allows(value: Any) -> bool:
        return isinstance(value, list) and len(value) == (length or len(value) or 1) and all(map(rule.allows, value))

    return Rule(allows, expected)


def _is_image_shape(value: Any) -> bool:
    sizes = isinstance(value, list) and len(value) in (1, 3) and all(map(_whole(1, 2**24).allows, value))
    return sizes and math.prod(value) <= 2**24


def _is_devices(value: Any) -> bool:
    return value in ("auto", -1) or _whole(1, 1024).allows(value) or _list_of(_whole(0, 1023), "").allows(value)


_COUNT = _whole(1, 2**31 - 1)
_CADENCE = _optional(_COUNT)
_SIZE = _whole(1, 2**20)
_SIZES = _list_of(_SIZE, f"a list of whole numbers from 1 to {2**20}")
_SIZE_OR_0 = _whole(0, 2**20)
_SAMPLES = _whole(1, 100_000)
_POSITIVE = _number(0, open_low=True)
_FRACTION = _number(0, 1)
_PROBABILITY = _number(0, 1, open_high=False)
_WEIGHT = _number(0)
_SEED = _whole(0, 2**32 - 1)
_PRECISIONS = ("32-true", "64-true", "bf16-mixed", "16-mixed")
_TEXT = Rule(lambda value: isinstance(value, str), "a text")
RULES: dict[str, Rule] = {
    "_partial_": Rule(lambda value: isinstance(value, bool), "true or false"),
    "accumulate": _SIZE,
    "ada_images": _COUNT,
    "aniso": _PROBABILITY,
    "attention": _optional(_SIZE, " for none"),
    "base_channels": _SIZE,
    "batch_norm_eps": _POSITIVE,
    "batch_shrink": _SIZE,
    "batch_size": _SIZE,
    "batches_per_epoch": _COUNT,
    "before": _WEIGHT,
    "begin": _WEIGHT,
    "betas": _list_of(_FRACTION, "two numbers from 0 to below 1", 2),
    "blocks": _whole(1, 1000),
    "brightness": _PROBABILITY,
    "categories": _SIZE,
    "channels": _optional(_SIZES),
    "class_weight": _WEIGHT,
    "clip": _optional(_POSITIVE),
    "code_dim": _SIZE,
    "condition_dim": _SIZE_OR_0,
    "continuous": _SIZE_OR_0,
    "contrast": _PROBABILITY,
    "count": _whole(1, 10**8),
    "critic_steps": _COUNT,
    "cutout": _PROBABILITY,
    "decay": _optional(_FRACTION),
    "devices": Rule(_is_devices, "a number of devices from 1 to 1024, a list of their indices, or auto"),
    "discriminator_weight": _WEIGHT,
    "drawing_seed": _SEED,
    "dropout": _FRACTION,
    "embedding_dim": _SIZE,
    "end": _WEIGHT,
    "eps": _WEIGHT,
    "every": _POSITIVE,
    "every_n_batches": _COUNT,
    "every_n_epochs": _CADENCE,
    "every_n_seconds": _optional(_POSITIVE),
    "every_n_steps": _CADENCE,
    "every_n_updates": _COUNT,
    "expansion": _SIZE,
    "extent": _POSITIVE,
    "factor": _WEIGHT,
    "fake_weight": _WEIGHT,
    "first_updates": _whole(0, 2**31 - 1),
    "floor": _optional(_WEIGHT),
    "fps": _whole(1, 240),
    "freeze_discriminator": _whole(0, 1000),
    "gamma": _WEIGHT,
    "generator_batch_size": _optional(_SIZE, " for that of D"),
    "generator_real_batch_size": _optional(_SIZE, " for none"),
    "generator_weight": _WEIGHT,
    "gpu_memory_fraction": _FRACTION,
    "gradient_clip_norm": _optional(_POSITIVE),
    "group_size": _optional(_SIZE, " for the whole batch"),
    "group_width": _SIZE,
    "half_life": _optional(_WEIGHT),
    "hidden_dim": _SIZE,
    "hidden_dims": _SIZES,
    "hue": _PROBABILITY,
    "image_shape": Rule(
        _is_image_shape, "[channels, height, width], or [dimensions], each from 1, and a product up to 16777216"
    ),
    "info_weight": _WEIGHT,
    "init_from": _optional(Rule(lambda value: isinstance(value, str) and bool(value), "a path")),
    "keep_every_n_epochs": _CADENCE,
    "keep_every_n_steps": _CADENCE,
    "kernel_dim": _SIZE,
    "kernel_size": _SIZE,
    "kernels": _SIZE,
    "label_embedding_dim": _SIZE_OR_0,
    "labeled_fraction": _PROBABILITY,
    "lambda_k": _WEIGHT,
    "latent_dim": _SIZE,
    "latent_std": _WEIGHT,
    "least": _COUNT,
    "limit": _optional(_COUNT, " for all"),
    "log_every_n_steps": _COUNT,
    "lr": _POSITIVE,
    "lumaflip": _PROBABILITY,
    "mapping_layers": _whole(1, 1000),
    "margin": _number(-1, 1, open_high=False),
    "max_depth": _whole(-1, 1000),
    "max_epochs": _optional(_whole(-1, 2**53)),
    "max_images": _optional(_whole(1, 2**53), " for no limit"),
    "max_steps": _whole(-1, 2**53),
    "momentum": _FRACTION,
    "n_critic": _whole(1, 1000),
    "name": Rule(lambda value: value is None or isinstance(value, str | int | float), "a text"),
    "negative_slope": _PROBABILITY,
    "noise_std": _WEIGHT,
    "num": _SAMPLES,
    "num_channels": _SIZE,
    "num_downsamples": _optional(_whole(0, 64)),
    "num_nodes": _whole(1, 2**20),
    "num_workers": _whole(0, 256),
    "objective": _optional(_TEXT),
    "on_collapse": Rule(lambda value: value in ("warn", "stop", "rollback"), "warn, stop or rollback"),
    "only_classes": _optional(_list_of(_whole(0, 2**20), "a list of whole numbers from 0"), " for all"),
    "p": _PROBABILITY,
    "pack": _whole(1, 1024),
    "patience": _COUNT,
    "penalty_every": _COUNT,
    "pieces": _SIZE,
    "precision": Rule(lambda value: value in _PRECISIONS, f"one of {', '.join(_PRECISIONS)}"),
    "pretrain_batch": _SIZE,
    "pretrain_steps": _whole(0, 2**31 - 1),
    "rampup": _optional(_POSITIVE),
    "real_label": _number(0, 1, open_low=True, open_high=False),
    "real_weight": _WEIGHT,
    "repeat_every": _COUNT,
    "repeats": _COUNT,
    "resume": _optional(_TEXT),
    "rotate": _PROBABILITY,
    "rotate90": _PROBABILITY,
    "run_dir": _TEXT,
    "saturation": _PROBABILITY,
    "scale": _PROBABILITY,
    "seed": _SEED,
    "share": _number(0, 1, open_low=True, open_high=False),
    "stacking_seed": _SEED,
    "standing_statistics": _SIZE_OR_0,
    "start": _optional(_WEIGHT),
    "std": _optional(_POSITIVE),
    "step_size": _COUNT,
    "strides": _optional(_SIZES),
    "style_mixing": _PROBABILITY,
    "target": _number(-1, 1, open_low=True),
    "temperature": _POSITIVE,
    "test_fraction": _FRACTION,
    "tolerance": _WEIGHT,
    "until": _POSITIVE,
    "w_dim": _SIZE,
    "weight": _WEIGHT,
    "weight_decay": _WEIGHT,
    "xflip": _PROBABILITY,
    "xfrac": _PROBABILITY,
    "xint": _PROBABILITY,
}
"""The rule for each key, by its last part. Classes of other packages are not checked by it."""
CHECKED_PACKAGES = ("", "None", "gan_lightning", "lightning", "torch")
"""The packages whose arguments the rules are for; "" and "None" stand for no `_target_`."""


def value_problem(key: str, value: Any) -> str | None:
    """Returns a message if a value breaks the rule for the last part of its key, else None."""
    name = key.rpartition(".")[2]
    if isinstance(value, float) and not math.isfinite(value):
        return f"{key}={value!r}: expected a finite number"
    if key.startswith("model.schedules."):  # the name of a number has a curve, more names, or null
        is_part = value is None or isinstance(value, dict)
    else:
        is_part = isinstance(value, dict) and "_target_" in value
    if name in RULES and not is_part:  # a part may have any name
        return None if RULES[name].allows(value) else f"{key}={shown(value)}: expected {RULES[name].expected}"
    if isinstance(value, int | float) and _is_too_large(value):
        return f"{key}={shown(value)}: expected a number that torch can hold"
    return None


def value_problems(node: Any, repeated: Collection[str] = (), path: str = "") -> Iterator[str]:
    """Yields a message for each value that breaks a rule; other packages' arguments have none.

    Args:
        node: Plain containers.
        repeated: Keys that are left out, because their values are set, and checked, at other keys.
        path: The key of `node`.
    """
    if isinstance(node, dict) and str(node.get("_target_", "")).partition(".")[0] not in CHECKED_PACKAGES:
        return
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, child in children:
        key = f"{path}.{name}".lstrip(".")
        if key in repeated:
            continue
        problem = value_problem(key, child)
        if problem is not None:
            yield problem
        else:
            yield from value_problems(child, repeated, key)
