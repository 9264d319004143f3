"""From a composed configuration to a checked one: every problem at once, before any data loads."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_lightning.errors import UserError

Config = dict[str, Any]
"""A resolved configuration: dicts, lists, strings, numbers, booleans and None."""


# Values that a YAML file cannot compute


def register_resolvers() -> None:
    """Makes the functions below available to the YAML files as `${name:arguments}`."""
    OmegaConf.register_new_resolver("unless_steps", _unless_steps, replace=True)
    OmegaConf.register_new_resolver("run_dir", _run_dir, replace=True)
    OmegaConf.register_new_resolver("if_new", _if_new, replace=True)


def _unless_steps(max_steps: int, epochs: int) -> int:
    """The default number of epochs, which gives way to a given number of steps."""
    return epochs if max_steps == -1 else -1


def _if_new(resume: str | None, value: Any) -> Any:
    """`value` in a new run, None in a resumed one."""
    return value if resume is None else None


def _run_dir(resume: str | None, name: str) -> str:
    """The folder of the run: the resumed one, or a new one below logs/."""
    if resume is not None:
        place = Path(resume)
        return str(place.parent.parent if place.suffix == ".ckpt" else place)
    # Processes that a cluster starts by themselves agree on the job's number, but not on the time.
    for variable in ("SLURM_JOB_ID", "TORCHELASTIC_RUN_ID"):
        if os.environ.get(variable, "none") != "none":
            return f"logs/{name}/{os.environ[variable]}"
    return f"logs/{name}/{time.strftime('%Y-%m-%d_%H-%M-%S')}"


# Checks

Rule = tuple[Callable[[Any], bool], str]


def _number(low: float, high: float = float("inf"), *, open_low: bool = False) -> Callable[[Any], bool]:
    def holds(value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return (low < value if open_low else low <= value) and value < high

    return holds


def _whole(low: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= low


def _optional(rule: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or rule(value)


def _all(rule: Callable[[Any], bool], length: int | None = None) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, list) and (len(value) == length if length else value != []) and all(map(rule, value))
    )


_EVERY: Rule = (_optional(_whole(1)), "a whole number from 1, or null")
RULES: dict[str, Rule] = {
    "batch_size": (_whole(1), "a whole number from 1"),
    "betas": (_all(_number(0, 1), 2), "two numbers from 0 to below 1"),
    "decay": (_number(0, 1), "a number from 0 to below 1"),
    "every_n_epochs": _EVERY,
    "every_n_steps": _EVERY,
    "gradient_clip_norm": (_optional(_number(0, open_low=True)), "a number above 0, or null"),
    "hidden": (_all(_whole(1)), "a list of whole numbers from 1"),
    "image_shape": (_all(_whole(1), 3), "[channels, height, width], each from 1"),
    "keep_every_n_epochs": _EVERY,
    "keep_every_n_steps": _EVERY,
    "latent_dim": (_whole(1), "a whole number from 1"),
    "log_every_n_steps": (_whole(1), "a whole number from 1"),
    "lr": (_number(0, open_low=True), "a number above 0"),
    "max_epochs": (_optional(_whole(-1)), "a whole number, or -1 for no limit"),
    "max_steps": (_whole(-1), "a whole number, or -1 for no limit"),
    "n_critic": (_whole(1), "a whole number from 1"),
    "num": (_whole(1), "a whole number from 1"),
    "num_nodes": (_whole(1), "a whole number from 1"),
    "num_workers": (_whole(0), "a whole number from 0"),
    "seed": (_whole(0), "a whole number from 0"),
    "weight": (_number(0), "a number from 0"),
}
"""What a value may be, by the last part of its key."""


def check(config: DictConfig) -> Config:
    """The resolved configuration, as plain containers.

    Raises:
        UserError: lists every problem with the key to change.
    """
    from gan_lightning.targets import argument_problems

    try:
        plain: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise UserError(f"{error.full_key or 'the configuration'}: {str(error).splitlines()[0]}") from error
    problems = list(_value_problems(config))
    faulty = {problem.partition("=")[0] for problem in problems}
    for key, node in _targets(plain):
        if not _is_copy(config, key):
            problems += [p for p in argument_problems(key, node) if p.partition("=")[0] not in faulty]
    problems += _cross_problems(plain)
    if problems:
        raise UserError("the configuration has " + _count(problems) + "".join(f"\n  {p}" for p in problems))
    return plain


def _count(problems: list[str]) -> str:
    return "a problem:" if len(problems) == 1 else f"{len(problems)} problems:"


def _value_problems(node: DictConfig | ListConfig, path: str = "") -> Iterator[str]:
    names: Iterable[Any] = node if isinstance(node, DictConfig) else range(len(node))
    for name in names:
        key = f"{path}.{name}" if path else str(name)
        if OmegaConf.is_interpolation(node, name):
            continue  # judged where the value stands
        value = node[name]
        if str(name) in RULES and not isinstance(value, DictConfig):
            holds, expected = RULES[str(name)]
            value = OmegaConf.to_container(value) if isinstance(value, ListConfig) else value
            if not holds(value):
                yield f"{key}={value!r}: expected {expected}"
        elif isinstance(value, DictConfig | ListConfig):
            yield from _value_problems(value, key)


def _targets(node: Any, path: str = "") -> Iterator[tuple[str, Config]]:
    """Every dict that names a `_target_`, with its key."""
    if isinstance(node, dict) and "_target_" in node:
        yield path, node
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, child in children:
        yield from _targets(child, f"{path}.{name}" if path else str(name))


def _is_copy(config: DictConfig, key: str) -> bool:
    """Whether a node is an interpolation of another, or inside one."""
    node: Any = config
    for part in key.split("."):
        name = int(part) if isinstance(node, ListConfig) else part
        if OmegaConf.is_interpolation(node, name):
            return True
        node = node[name]
    return False


def _cross_problems(config: Config) -> Iterator[str]:
    trainer, batch_size = config["trainer"], config["data"]["batch_size"]
    for name, off, instead in (
        ("gradient_clip_val", 0, "model.gradient_clip_norm"),
        ("accumulate_grad_batches", 1, "a smaller data.batch_size"),
    ):
        if trainer.get(name) not in (None, off):
            yield f"trainer.{name}={trainer[name]!r}: does not work with alternating optimizers; use {instead}"
    if trainer.get("strategy", "auto") != "auto":
        yield f"trainer.strategy={trainer['strategy']!r}: expected auto, which chooses by the number of devices"
    if trainer.get("sync_batchnorm") and trainer.get("accelerator") == "cpu":
        yield "trainer.sync_batchnorm=True: torch has it on GPUs only; set it to false, or trainer.accelerator=gpu"
    devices, nodes = trainer.get("devices"), trainer.get("num_nodes", 1)
    if all(isinstance(n, int) and n > 0 for n in (devices, nodes, batch_size)) and batch_size % (devices * nodes):
        yield (
            f"data.batch_size={batch_size}: expected a multiple of the number of processes, "
            f"{devices * nodes} (trainer.devices times trainer.num_nodes), which share each batch"
        )
    generator = config["model"].get("generator") or {}
    if "image_shape" in generator and generator["image_shape"] != config["data"]["image_shape"]:
        yield (
            f"network.generator.image_shape={generator['image_shape']}: expected data.image_shape="
            f"{config['data']['image_shape']}"
        )


def build(config: Config, section: str, **extra: Any) -> Any:
    """Instantiates one section of a configuration, once all that it names has passed the allowlist.

    `extra` arguments, which no configuration can hold, go to the outermost `_target_`.

    Raises:
        UserError: it names something outside, or arguments that do not fit.
    """
    from hydra.utils import instantiate

    from gan_lightning.targets import argument_problems

    problems = [p for key, node in _targets(config[section], section) for p in argument_problems(key, node)]
    if problems:
        raise UserError("the configuration has " + _count(problems) + "".join(f"\n  {p}" for p in problems))
    return instantiate(OmegaConf.create(config[section]), _convert_="all", **extra)


# Help with the command line


@contextlib.contextmanager
def suggestions(overrides: Sequence[str]) -> Iterator[None]:
    """Where Hydra refuses a key of the command line, adds the nearest one that exists."""
    from hydra.core.hydra_config import HydraConfig

    try:
        yield
    except SystemExit as leaving:
        if leaving.code == 1 and not HydraConfig.initialized():
            for line in _suggest(overrides):
                print(line, file=sys.stderr)
        raise


def _suggest(overrides: Sequence[str]) -> Iterator[str]:
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    from gan_lightning.targets import suggestion

    conf = Path(sys.argv[0]).resolve().parent / "conf"
    assignments = [override for override in overrides if "=" in override and override[0] not in "-+~"]
    keys = [assignment.partition("=")[0] for assignment in assignments]
    groups = [a for a, key in zip(assignments, keys, strict=True) if (conf / key).is_dir() and "," not in a]
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf), version_base="1.3"):
            known = list(_leaves(compose("config", groups)))
    except Exception:  # the groups themselves are wrong: Hydra has already said so
        return
    for key in keys:
        if key not in known and not (conf / key).is_dir() and not key.startswith("hydra"):
            yield f"{key}: no such key{suggestion(key, known)}"


def _leaves(node: DictConfig, path: str = "") -> Iterator[str]:
    names: Iterable[Any] = node
    for name in names:
        key = f"{path}.{name}" if path else str(name)
        yield key
        if not OmegaConf.is_interpolation(node, name) and isinstance(node._get_node(name), DictConfig):
            yield from _leaves(node._get_node(name), key)  # type: ignore[arg-type]
