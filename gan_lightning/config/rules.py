"""Rules for the values of a configuration: for single values, and for their combinations."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from typing import Any

from gan_lightning.config.allowlist import locate, suggestion
from gan_lightning.config.arguments import argument_problems
from gan_lightning.config.instantiate import Config, target_nodes

Predicate = Callable[[Any], bool]
Rule = tuple[Predicate, str]
"""Whether a value is allowed, and a description of the allowed values for the message."""


def _number(low: float, high: float = math.inf, *, open_low: bool = False) -> Predicate:
    def is_allowed(value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return (low < value if open_low else low <= value) and value < high

    return is_allowed


def _integer(low: int, high: float = math.inf) -> Predicate:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value < high


def _optional(rule: Predicate) -> Predicate:
    return lambda value: value is None or rule(value)


def _list_of(rule: Predicate, *lengths: int) -> Predicate:
    return lambda value: (
        isinstance(value, list) and (len(value) in lengths if lengths else value != []) and all(map(rule, value))
    )


def _devices(value: Any) -> bool:
    return value in ("auto", -1) or _integer(1)(value) or _list_of(_integer(0))(value)


_CADENCE: Rule = (_optional(_integer(1)), "a whole number from 1, or null")
_POSITIVE_INTEGER: Rule = (_integer(1), "a whole number from 1")
_LIMIT: Rule = (_optional(_integer(-1)), "a whole number, or -1 for no limit")
_PRECISIONS = ("32-true", "64-true", "bf16-mixed", "16-mixed")
_FRACTION: Rule = (_number(0, 1), "a number from 0 to below 1")
RULES: dict[str, Rule] = {
    "accumulate": _POSITIVE_INTEGER,
    "ada_images": _POSITIVE_INTEGER,
    "base_channels": _POSITIVE_INTEGER,
    "batch_size": _POSITIVE_INTEGER,
    "batches_per_epoch": _POSITIVE_INTEGER,
    "betas": (_list_of(_number(0, 1), 2), "two numbers from 0 to below 1"),
    "blocks": _POSITIVE_INTEGER,
    "channels": (_optional(_list_of(_integer(1))), "a list of whole numbers from 1, or null"),
    "code_dim": _POSITIVE_INTEGER,
    "condition_dim": (_integer(0), "a whole number from 0"),
    "count": _POSITIVE_INTEGER,
    "decay": _FRACTION,
    "devices": (_devices, "a number of devices from 1, a list of their indices, or auto"),
    "dropout": _FRACTION,
    "eps": (_number(0), "a number from 0"),
    "every_n_batches": _POSITIVE_INTEGER,
    "every_n_epochs": _CADENCE,
    "every_n_steps": _CADENCE,
    "expansion": _POSITIVE_INTEGER,
    "extent": (_number(0, 1, open_low=True), "a number above 0, below 1"),
    "gradient_clip_norm": (_optional(_number(0, open_low=True)), "a number above 0, or null"),
    "group_width": _POSITIVE_INTEGER,
    "hidden_dim": _POSITIVE_INTEGER,
    "hidden_dims": (_list_of(_integer(1)), "a list of whole numbers from 1"),
    "image_shape": (_list_of(_integer(1), 1, 3), "[channels, height, width], or [dimensions], each from 1"),
    "keep_every_n_epochs": _CADENCE,
    "keep_every_n_steps": _CADENCE,
    "kernel_size": _POSITIVE_INTEGER,
    "label_embedding_dim": (_integer(0), "a whole number from 0"),
    "latent_dim": _POSITIVE_INTEGER,
    "limit": (_optional(_integer(1)), "a whole number from 1, or null for all"),
    "log_every_n_steps": _POSITIVE_INTEGER,
    "lr": (_number(0, open_low=True), "a number above 0"),
    "max_epochs": _LIMIT,
    "max_steps": (_integer(-1), "a whole number, or -1 for no limit"),
    "n_critic": _POSITIVE_INTEGER,
    "num": _POSITIVE_INTEGER,
    "num_downsamples": (_optional(_integer(0)), "a whole number from 0, or null"),
    "num_nodes": _POSITIVE_INTEGER,
    "num_workers": (_integer(0), "a whole number from 0"),
    "p": (lambda value: _number(0)(value) and value <= 1, "a number from 0 to 1"),
    "precision": (lambda value: value in _PRECISIONS, f"one of {', '.join(_PRECISIONS)}"),
    "seed": (_integer(0, 2**32), "a whole number from 0 to 4294967295"),
    "std": (_optional(_number(0, open_low=True)), "a number above 0, or null"),
    "strides": (_optional(_list_of(_integer(1))), "a list of whole numbers from 1, or null"),
    "target": (_number(-1, 1, open_low=True), "a number between -1 and 1"),
    "test_fraction": _FRACTION,
    "weight": (_number(0), "a number from 0"),
}
"""The rule for each key, by its last part. Classes of other packages are not checked by it."""


CHECKED_PACKAGES = ("", "None", "gan_lightning", "lightning", "torch")
"""The packages whose arguments the rules are for; "" and "None" stand for no `_target_`."""


def value_problem(key: str, value: Any) -> str | None:
    """Returns a message if a value breaks the rule for the last part of its key, else None."""
    name = key.rpartition(".")[2]
    if isinstance(value, float) and not math.isfinite(value):
        return f"{key}={value!r}: expected a finite number"
    if name in RULES and not isinstance(value, dict):
        is_allowed, expected = RULES[name]
        if not is_allowed(value):
            return f"{key}={value!r}: expected {expected}"
    return None


def value_problems(node: Any, path: str = "") -> Iterator[str]:
    """Yields a message for each value of plain containers that breaks a rule; other packages' arguments have none."""
    if isinstance(node, dict) and str(node.get("_target_", "")).partition(".")[0] not in CHECKED_PACKAGES:
        return
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, child in children:
        key = f"{path}.{name}".lstrip(".")
        problem = value_problem(key, child)
        if problem is not None:
            yield problem
        else:
            yield from value_problems(child, key)


def plain_problems(config: Config) -> list[str]:
    """Returns a message for each problem of a resolved configuration that Hydra has not composed."""
    found = list(structure_problems(config))
    if found:
        return found
    for key, node in target_nodes(config):
        found += argument_problems(key, node)
    found += value_problems(config)
    return found or list(cross_problems(config))


# Combinations of values


def structure_problems(config: Config) -> Iterator[str]:
    """Yields a message for each section that is missing or is not a section."""
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
    """Yields a message for each combination of values that does not work."""
    yield from _trainer_problems(config["trainer"])
    if str(config["data"]["_target_"]).startswith("gan_lightning."):  # elsewhere batch_size is that of one process
        yield from _batch_problems(
            config["trainer"], config["data"].get("batch_size"), config["model"].get("accumulate", 1)
        )
    yield from _optimizer_problems(config["model"])
    yield from _metric_problems(config)
    yield from _augment_problems(config["model"].get("augment"), config["data"].get("image_shape"))
    for player in ("generator", "discriminator"):
        yield from _network_problems(player, config["model"].get(player) or {}, config["data"])
    yield from condition_problems(config["model"], config["data"])


def _network_problems(player: str, network: Config, data: Config) -> Iterator[str]:
    """Yields messages on a network for samples of another shape or range than the data's."""
    shape, name = data.get("image_shape"), str(network.get("_target_")).removeprefix("gan_lightning.networks.")
    if "image_shape" in network and network["image_shape"] != shape:
        yield f"network.{player}.image_shape={network['image_shape']}: expected data.image_shape={shape}"
    if name.startswith("Scalar") and shape != [1]:
        yield f"network.{player}: {name} is for numbers, data.image_shape={shape}; choose another network="
    if data.get("_target_") == "gan_lightning.data.Gaussian1D" and name.endswith("Generator") and "Scalar" not in name:
        yield f"network.{player}: {name} ends in tanh, and the data lies beyond [-1, 1]; use network=scalar"


def condition_problems(model: Config, data: Config) -> Iterator[str]:
    """Yields messages on labels that a network expects and does not get, or gets and does not expect.

    The discriminator may have condition_dim=0 in a conditional model, as in AC-GAN.
    """
    conditional, expected = model.get("conditional"), data.get("condition_dim")
    if conditional and not expected:
        yield "model.conditional=True: the data has no labels; choose other data, or set it to false"
        return
    for player, allowed in (("generator", (expected,)), ("discriminator", (expected, 0))):
        given = (model.get(player) or {}).get("condition_dim")
        if given and not conditional:
            yield f"network.{player}.condition_dim={given}: it would get no labels; set model.conditional=true"
        elif conditional and given is not None and given not in allowed:
            yield f"network.{player}.condition_dim={given}: expected data.condition_dim={expected}"


def _metric_problems(config: Config) -> Iterator[str]:
    """Yields messages on objectives and monitored metrics that nothing computes."""
    from gan_lightning.evaluation.metrics import METRICS

    plot = (config["callbacks"].get("samples") or {}).get("_target_") == "gan_lightning.callbacks.SurfacePlot"
    known = [f"metric/{metric}" for metric in METRICS]
    monitor = (config["callbacks"].get("checkpoints") or {}).get("monitor")
    for key, name in (("objective", config.get("objective")), ("callbacks.checkpoints.monitor", monitor)):
        if not isinstance(name, str) or (plot and name in ("metric/modes", "metric/high_quality")):
            continue
        if name in METRICS:
            yield f"{key}={name}: there is no such metric; did you mean metric/{name}?"
        elif name in known and not config["callbacks"].get("evaluation"):
            yield f"{key}={name}: nothing computes it; add metrics=classifier"
        elif name == "metric/high_quality":
            yield f"{key}={name}: nothing computes it; add experiment=gaussians_ring"
        elif name.startswith("metric/") and name not in known and suggestion(name, known):
            yield f"{key}={name}: there is no such metric{suggestion(name, known)}"


def _trainer_problems(trainer: Config) -> Iterator[str]:
    for name, off, instead in (
        ("gradient_clip_val", 0, "model.gradient_clip_norm"),
        ("accumulate_grad_batches", 1, "model.accumulate"),
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


def _augment_problems(augment: Any, shape: Any) -> Iterator[str]:
    """Yields messages on image augmentations that do not fit the samples; it skips those of other packages."""
    ours = isinstance(augment, dict) and str(augment.get("_target_")).startswith("gan_lightning.")
    if not ours or not isinstance(shape, list):
        return
    if len(shape) == 1:
        yield f"model.augment: data.image_shape={shape}: it needs images; choose augment=null, or other data"
    elif "quarter_turns" in (augment.get("policy") or ()) and shape[-1] != shape[-2]:
        yield f"model.augment.policy: quarter_turns need square images; data.image_shape={shape}"


def _batch_problems(trainer: Config, batch_size: Any, parts: Any) -> Iterator[str]:
    devices, nodes = trainer.get("devices", 1), trainer.get("num_nodes", 1)
    per_node = len(devices) if isinstance(devices, list) else devices
    if not all(isinstance(n, int) and n > 0 for n in (per_node, nodes, batch_size, parts)):
        return
    if batch_size % (per_node * nodes):
        yield (
            f"data.batch_size={batch_size}: expected a multiple of the number of processes, "
            f"{per_node * nodes} (trainer.devices times trainer.num_nodes), which share each batch"
        )
    elif batch_size // (per_node * nodes) % parts:
        yield (
            f"model.accumulate={parts}: expected a divisor of a process's part of the batch, "
            f"{batch_size // (per_node * nodes)}; change it, or data.batch_size"
        )


def _optimizer_problems(model: Config) -> Iterator[str]:
    """Yields messages on schedules that need a metric, and on arguments of one player that the optimizer lacks."""
    if str((model.get("scheduler") or {}).get("_target_")).endswith("ReduceLROnPlateau"):
        yield "model.scheduler: ReduceLROnPlateau waits for a metric, schedules here go by batches; choose another"
    optimizer = model.get("optimizer")
    if not isinstance(optimizer, dict):
        return
    try:
        known = list(inspect.signature(locate(optimizer["_target_"], "model")).parameters)
    except (LookupError, PermissionError, AttributeError):  # reported with its own key
        return
    for key in ("generator_optimizer", "discriminator_optimizer"):
        for name in model.get(key) or {}:
            if name not in known:
                yield f"model.{key}.{name}: {optimizer['_target_']} has no such argument{suggestion(name, known)}"
