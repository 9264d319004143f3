"""What the values of a configuration may be, alone and beside each other."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from typing import Any

from gan_lightning.targets import locate, suggestion

Config = dict[str, Any]
"""A resolved configuration: dicts, lists, strings, numbers, booleans and None."""
Holds = Callable[[Any], bool]
Rule = tuple[Holds, str]


def _number(low: float, high: float = math.inf, *, open_low: bool = False) -> Holds:
    def holds(value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return (low < value if open_low else low <= value) and value < high

    return holds


def _whole(low: int, high: float = math.inf) -> Holds:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value < high


def _optional(rule: Holds) -> Holds:
    return lambda value: value is None or rule(value)


def _all(rule: Holds, *lengths: int) -> Holds:
    return lambda value: (
        isinstance(value, list) and (len(value) in lengths if lengths else value != []) and all(map(rule, value))
    )


def _devices(value: Any) -> bool:
    return value in ("auto", -1) or _whole(1)(value) or _all(_whole(0))(value)


_EVERY: Rule = (_optional(_whole(1)), "a whole number from 1, or null")
_WHOLE: Rule = (_whole(1), "a whole number from 1")
_LIMIT: Rule = (_optional(_whole(-1)), "a whole number, or -1 for no limit")
_PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
_SHARE: Rule = (_number(0, 1), "a number from 0 to below 1")
RULES: dict[str, Rule] = {
    "batch_size": _WHOLE,
    "betas": (_all(_number(0, 1), 2), "two numbers from 0 to below 1"),
    "condition_dim": (_whole(0), "a whole number from 0"),
    "decay": _SHARE,
    "devices": (_devices, "a number of devices from 1, a list of their indices, or auto"),
    "dropout": _SHARE,
    "eps": (_number(0), "a number from 0"),
    "every_n_epochs": _EVERY,
    "every_n_steps": _EVERY,
    "gradient_clip_norm": (_optional(_number(0, open_low=True)), "a number above 0, or null"),
    "hidden": (lambda value: _whole(1)(value) or _all(_whole(1))(value), "whole numbers from 1"),
    "image_shape": (_all(_whole(1), 1, 3), "[channels, height, width], or [dimensions], each from 1"),
    "keep_every_n_epochs": _EVERY,
    "keep_every_n_steps": _EVERY,
    "kernel": _WHOLE,
    "latent_dim": _WHOLE,
    "limit": (_optional(_whole(1)), "a whole number from 1, or null for all"),
    "log_every_n_steps": _WHOLE,
    "lr": (_number(0, open_low=True), "a number above 0"),
    "max_epochs": _LIMIT,
    "max_steps": (_whole(-1), "a whole number, or -1 for no limit"),
    "n_critic": _WHOLE,
    "num": _WHOLE,
    "num_nodes": _WHOLE,
    "num_workers": (_whole(0), "a whole number from 0"),
    "precision": (lambda value: value in _PRECISIONS, f"one of {', '.join(_PRECISIONS)}"),
    "seed": (_whole(0, 2**32), "a whole number from 0 to 4294967295"),
    "strides": (_all(_whole(1)), "a list of whole numbers from 1"),
    "test_share": _SHARE,
    "weight": (_number(0), "a number from 0"),
    "widths": (_all(_whole(1)), "a list of whole numbers from 1"),
}
"""What a value may be, by the last part of its key; in classes of other packages anything goes."""


def value_problem(key: str, value: Any) -> str | None:
    """What is wrong with one value, by its key's last part."""
    name = key.rpartition(".")[2]
    if isinstance(value, float) and not math.isfinite(value):
        return f"{key}={value!r}: expected a finite number"
    if name in RULES and not isinstance(value, dict):
        holds, expected = RULES[name]
        if not holds(value):
            return f"{key}={value!r}: expected {expected}"
    return None


# Values beside each other


def structure_problems(config: Config) -> Iterator[str]:
    """Sections that are missing, or that are no sections."""
    for section in ("data", "model", "trainer", "callbacks", "logger"):
        node = config.get(section)
        if not isinstance(node, dict):
            yield f"{section}={node!r}: expected the options of a group, {section}=..."
        elif section in ("callbacks", "logger"):
            for name, part in node.items():
                if part is not None and not (isinstance(part, dict) and "_target_" in part):
                    yield f"{section}.{name}={part!r}: expected options with a _target_, or null"
        elif "_target_" not in node:
            yield f"{section}._target_: expected the name of a class"


def cross_problems(config: Config) -> Iterator[str]:
    """Values that are right alone and wrong together."""
    yield from _trainer_problems(config["trainer"])
    yield from _batch_problems(config["trainer"], config["data"].get("batch_size"))
    yield from _optimizer_problems(config["model"])
    yield from _figure_problems(config)
    if config["model"].get("conditional") and not config["data"].get("condition_dim"):
        yield "model.conditional=True: the data has no labels; choose other data, or set it to false"
    for player in ("generator", "discriminator"):
        network = config["model"].get(player) or {}
        if "image_shape" in network and network["image_shape"] != config["data"].get("image_shape"):
            yield (
                f"network.{player}.image_shape={network['image_shape']}: expected data.image_shape="
                f"{config['data'].get('image_shape')}"
            )


def _figure_problems(config: Config) -> Iterator[str]:
    """Figures of quality that nobody computes."""
    from gan_lightning.metrics.figures import FIGURES

    known = [f"metric/{figure}" for figure in FIGURES]
    monitor = (config["callbacks"].get("checkpoints") or {}).get("monitor")
    for key, name in (("objective", config.get("objective")), ("callbacks.checkpoints.monitor", monitor)):
        if not isinstance(name, str):
            continue
        if name in FIGURES:
            yield f"{key}={name}: there is no such figure; did you mean metric/{name}?"
        elif name in known and not config["callbacks"].get("evaluation"):
            yield f"{key}={name}: nothing computes it; add metrics=classifier"
        elif name.startswith("metric/") and name not in known and suggestion(name, known):
            yield f"{key}={name}: there is no such figure{suggestion(name, known)}"


def _trainer_problems(trainer: Config) -> Iterator[str]:
    for name, off, instead in (
        ("gradient_clip_val", 0, "model.gradient_clip_norm"),
        ("accumulate_grad_batches", 1, "a smaller data.batch_size"),
    ):
        if trainer.get(name) not in (None, off):
            yield f"trainer.{name}={trainer[name]!r}: does not work with alternating optimizers; use {instead}"
    for name in ("enable_progress_bar", "enable_checkpointing", "plugins", "callbacks", "logger"):
        if name in trainer:
            yield f"trainer.{name}: is set by the callbacks and logger groups; leave it out"
    if trainer.get("strategy", "auto") != "auto":
        yield f"trainer.strategy={trainer['strategy']!r}: expected auto, which chooses by the number of devices"
    if trainer.get("sync_batchnorm") and trainer.get("accelerator") == "cpu":
        yield "trainer.sync_batchnorm=True: torch has it on GPUs only; set it to false, or trainer.accelerator=gpu"


def _batch_problems(trainer: Config, batch_size: Any) -> Iterator[str]:
    devices, nodes = trainer.get("devices", 1), trainer.get("num_nodes", 1)
    per_node = len(devices) if isinstance(devices, list) else devices
    if all(isinstance(n, int) and n > 0 for n in (per_node, nodes, batch_size)) and batch_size % (per_node * nodes):
        yield (
            f"data.batch_size={batch_size}: expected a multiple of the number of processes, "
            f"{per_node * nodes} (trainer.devices times trainer.num_nodes), which share each batch"
        )


def _optimizer_problems(model: Config) -> Iterator[str]:
    """Arguments of one side that the optimizer does not have."""
    optimizer = model.get("optimizer")
    if not isinstance(optimizer, dict):
        return
    try:
        known = list(inspect.signature(locate(optimizer["_target_"], "model")).parameters)
    except (LookupError, PermissionError, AttributeError):  # reported where it stands
        return
    for side in ("generator_optimizer", "discriminator_optimizer"):
        for name in model.get(side) or {}:
            if name not in known:
                yield f"model.{side}.{name}: {optimizer['_target_']} has no such argument{suggestion(name, known)}"
