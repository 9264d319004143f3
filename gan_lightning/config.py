"""From a composed configuration to a checked one: every problem at once, before any data loads."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    OmegaConf.register_new_resolver("when", _when, replace=True)
    OmegaConf.register_new_resolver("count_tags", _count_tags, replace=True)
    OmegaConf.register_new_resolver("count_classes", _count_classes, replace=True)
    OmegaConf.register_new_resolver("run_dir", _run_dir, replace=True)
    OmegaConf.register_new_resolver("if_new", _if_new, replace=True)
    OmegaConf.register_new_resolver("job_folder", _job_folder, replace=True)
    OmegaConf.register_new_resolver("direction", _direction, replace=True)


def _unless_steps(max_steps: int, epochs: int) -> int:
    """The default number of epochs, which gives way to a given number of steps."""
    return epochs if max_steps == -1 else -1


def _when(flag: bool, value: Any) -> Any:
    """`value` where `flag` holds, else 0."""
    return value if flag else 0


def _count_tags(root: str, nouns: Sequence[str]) -> int:
    """How many tags the table of a folder of pictures has."""
    from gan_lightning.data.tags import tag_names

    return len(tag_names(root, nouns))


def _count_classes(root: str) -> int:
    """How many class folders a folder of pictures has."""
    from gan_lightning.data.folders import class_names

    return len(class_names(root))


def _if_new(resume: str | None, value: Any) -> Any:
    """`value` in a new run, None in a resumed one."""
    return value if resume is None else None


def _run_dir(resume: str | None, name: str) -> str:
    """The folder of the run: the resumed one, or a new one below logs/."""
    if resume is not None:
        folder = run_folder(resume)
        if not folder.is_dir():
            raise UserError(f"resume={resume}: there is no such folder. Expected the folder of a run")
        return str(folder)
    # Processes that a cluster starts by themselves agree on the job's number, but not on the time.
    job = [os.environ[v] for v in ("SLURM_JOB_ID", "SLURM_STEP_ID", "TORCHELASTIC_RUN_ID") if v in os.environ]
    return f"logs/{name}/{'_'.join(job) if job not in ([], ['none']) else time.strftime('%Y-%m-%d_%H-%M-%S')}"


def _direction(objective: str) -> str:
    """Whether the objective is better small or large, in Optuna's words."""
    from gan_lightning.metrics.figures import FIGURES

    return "maximize" if FIGURES.get(objective.removeprefix("metric/")) == "max" else "minimize"


def _job_folder(typed: str, number: int | str) -> str:
    """A job's folder in its sweep's: what distinguishes it, in short ("lr=0.001,seed=1"), so that it is found again."""
    name = re.sub(r"(^|,)[+~]*[\w./@]*[./@](\w+)=", r"\1\2=", typed).replace("/", "_") or str(number)
    if len(os.fsencode(name)) <= 120:
        return name
    return f"{os.fsencode(name)[:100].decode(errors='ignore')}_{hashlib.sha256(typed.encode()).hexdigest()[:12]}"


def value_at(config: Config, key: str, choices: Mapping[str, Any]) -> Any:
    """The value of a key such as model.optimizer.lr; of a group the name of the choice; None where it is neither."""
    node: Any = config
    for name in key.split("."):
        node = node.get(name) if isinstance(node, dict) else None
    return choices.get(key) if node is None or isinstance(node, dict) else node


def run_folder(place: str | Path) -> Path:
    """The folder of a run that is named by itself or by one of its checkpoints."""
    path = Path(place)
    return path.parent.parent if path.suffix == ".ckpt" else path


# Checks


def check(config: DictConfig) -> Config:
    """The resolved configuration, as plain containers.

    Raises:
        UserError: lists every problem with the key to change.
    """
    from gan_lightning import rules
    from gan_lightning.targets import argument_problems

    try:
        plain: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise UserError(f"{error.full_key or 'the configuration'}: {str(error).splitlines()[0]}") from error
    require_none(rules.structure_problems(plain))
    problems = list(_value_problems(config))
    faulty = {problem.partition("=")[0] for problem in problems}
    for key, node in _targets(plain):
        if not _is_copy(config, key):
            problems += [p for p in argument_problems(key, node) if p.partition("=")[0] not in faulty]
    require_none([*problems, *rules.cross_problems(plain)])
    return plain


def require_none(problems: Iterable[str]) -> None:
    """Raises a UserError that lists the problems, if there are any."""
    found = list(problems)
    if found:
        count = "a problem:" if len(found) == 1 else f"{len(found)} problems:"
        raise UserError(f"the configuration has {count}" + "".join(f"\n  {problem}" for problem in found))


def _value_problems(node: DictConfig | ListConfig, path: str = "") -> Iterator[str]:
    """The faulty values, each where it stands rather than where an interpolation repeats it."""
    from gan_lightning.rules import value_problem

    names: Iterable[Any] = node if isinstance(node, DictConfig) else range(len(node))
    if str(node.get("_target_") if isinstance(node, DictConfig) else "").partition(".")[0] not in _JUDGED:
        return
    for name in names:
        key = f"{path}.{name}" if path else str(name)
        if _repeats(node, name):
            continue
        value = node[name]
        plain = OmegaConf.to_container(value) if isinstance(value, ListConfig) else value
        problem = None if isinstance(value, DictConfig) else value_problem(key, plain)
        if problem:
            yield problem
        elif isinstance(value, DictConfig | ListConfig):
            yield from _value_problems(value, key)


_JUDGED = ("", "None", "gan_lightning", "lightning", "torch")
"""The packages whose arguments have the names that `rules.RULES` knows."""


def _repeats(node: DictConfig | ListConfig, name: Any) -> bool:
    """Whether a value is an interpolation of a section, or of a value of the same name."""
    if not OmegaConf.is_interpolation(node, name):
        return False
    written = str(node._get_node(name)._value())  # type: ignore[union-attr]
    return isinstance(node[name], DictConfig) or written.endswith((f".{name}}}", f"{{{name}}}"))


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


def build(config: Config, section: str, **extra: Any) -> Any:
    """Instantiates one section of a configuration, once all that it names has passed the allowlist.

    `extra` arguments, which no configuration can hold, go to the outermost `_target_`.

    Raises:
        UserError: it names something outside, or arguments that do not fit.
    """
    from gan_lightning.targets import argument_problems, instantiate

    require_none(p for key, node in _targets(config[section], section) for p in argument_problems(key, node))
    try:
        return instantiate(config[section], section, **extra)
    except ValueError as error:
        raise UserError(f"{section}: {error}") from error


# Help with the command line


@contextlib.contextmanager
def suggestions(overrides: Sequence[str]) -> Iterator[None]:
    """Where Hydra refuses a key of the command line, adds the nearest one that exists; shortens other refusals."""
    from hydra.core.hydra_config import HydraConfig

    try:
        yield
    except OmegaConfBaseException as error:  # while the folder of the run is worked out
        sys.exit(f"error: {error.__cause__ or str(error).splitlines()[0]}")
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
            known = list(leaves(compose("config", groups)))
    except Exception:  # the groups themselves are wrong: Hydra has already said so
        return
    for key in keys:
        if key not in known and not (conf / key).is_dir() and not key.startswith("hydra"):
            yield f"{key}: no such key{suggestion(key, known)}"


def leaves(node: DictConfig, path: str = "") -> Iterator[str]:
    """Every key of a configuration, sections included."""
    names: Iterable[Any] = node
    for name in names:
        key = f"{path}.{name}" if path else str(name)
        yield key
        if not OmegaConf.is_interpolation(node, name) and isinstance(node._get_node(name), DictConfig):
            yield from leaves(node._get_node(name), key)  # type: ignore[arg-type]
