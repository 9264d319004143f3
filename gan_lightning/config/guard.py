"""What a configuration file from elsewhere may say, and what only the user's command line may.

A file of a folder that the user does not trust chooses options and sets values. It names no class for Hydra, no folder
and no environment variable, and reads none: docs/security.md has the reasons.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from omegaconf import Container, DictConfig, OmegaConf

from gan_lightning._compat.hydra import Checks, checked_composition
from gan_lightning.config.allowlist import TRUST_VARIABLE, trusted_by_user
from gan_lightning.config.options import conf_folder
from gan_lightning.errors import UserError
from gan_lightning.yaml_file import read_yaml

_HYDRA_KEYS = {
    *("mode", "launcher.n_jobs", "sweeper.n_trials", "sweeper.n_jobs", "sweeper.direction"),
    *("sweeper.max_retries", "sweeper.max_failure_rate", "sweeper.max_batch_size", "sweeper.sampler.seed"),
}
"""The keys of the section `hydra` that a file from elsewhere may set, besides the swept keys in sweeper.params."""
_HYDRA_CHOICE = re.compile(r"/?hydra/(sweeper|launcher)(/\w+)?=\w+")
"""The choices of Hydra's own options that such a file may make."""
_RESOLVERS = {
    *("unless_steps", "times", "packed", "when", "count_tags", "count_classes", "run_dir"),
    *("job_folder", "direction"),
    *("hydra", "now", "oc.select", "oc.dict.keys", "oc.dict.values"),
}
_OWN_VARIABLE = re.compile(r"\s*GAN_LIGHTNING_\w+\s*[,}]")
_SWEPT_KEY = re.compile(r"[+~]{0,2}(?!(hydra|resume|branch_from|init_from|run_dir)\b)[A-Za-z]\w*([./@:][\w./@:-]*)?")
"""A key that such a file may sweep over; in the jobs it counts as typed."""


@contextlib.contextmanager
def guarded(arguments: Sequence[str] = ()) -> Iterator[None]:
    """Refuses what only the command line may say, in every Hydra that is initialized in this context.

    Args:
        arguments: The command line.

    Raises:
        UserError: A file from elsewhere says it, or the command line names a pickle.
    """
    _refuse_rerun(arguments)
    try:
        with checked_composition(Checks(_require_readable, _require_harmless, _require_unchanged_trust)):
            yield
    except SystemExit as leaving:
        if isinstance(leaving.__cause__, UserError):
            raise leaving.__cause__ from None
        raise


def _refuse_rerun(arguments: Sequence[str]) -> None:
    """Refuses Hydra's --experimental-rerun, and its abbreviations: it reads a pickle, which can run code."""
    for argument in arguments:
        option = argument.partition("=")[0]
        if len(option) > 2 and "--experimental-rerun".startswith(option):
            raise UserError(f"{argument}: it reads a pickle, which can run code; use resume=<run folder>")


def _refuse(problem: str) -> NoReturn:
    """Raises what Hydra lets through; Hydra would print an Exception itself, with a stack trace."""
    raise SystemExit(f"error: {problem}") from UserError(problem)


def _require_readable(path: Path) -> None:
    try:
        if not is_trusted(f"file://{path}"):
            read_yaml(path, object)
    except UserError as error:
        _refuse(str(error))


def _require_harmless(origin: str, content: Container, choices: Sequence[str]) -> None:
    if is_trusted(origin):
        return
    for problem in _problems(OmegaConf.to_container(content, resolve=False), choices):
        _refuse(
            f"{origin.removeprefix('file://')}: {problem}. If it is your own file, name {_entry(origin)} in the "
            f"environment variable {TRUST_VARIABLE}"
        )


def _require_unchanged_trust(composed: DictConfig) -> None:
    if TRUST_VARIABLE in composed.hydra.job.env_set:
        _refuse(f"hydra.job.env_set.{TRUST_VARIABLE}: a configuration cannot trust itself; set it in the shell")


def is_trusted(origin: str) -> bool:
    """Whether a file is part of Hydra, of a plugin or of this package, or the user trusts its folder or package."""
    scheme, _, place = origin.partition("://")
    if scheme == "pkg":
        return re.split(r"[./]", place)[0] in {"hydra"} | trusted_by_user()
    folders = [conf_folder(), *(Path(entry) for entry in trusted_by_user() if os.path.isabs(entry))]
    return scheme == "structured" or any(Path(place).is_relative_to(os.path.realpath(folder)) for folder in folders)


def _entry(origin: str) -> str:
    scheme, _, place = origin.partition("://")
    return re.split(r"[./]", place)[0] if scheme == "pkg" else "the path of its folder"


def _problems(content: Any, choices: Sequence[str]) -> Iterator[str]:
    for text in (*_strings(content), *choices):
        yield from _interpolation_problems(text)
    for choice in choices:
        if "hydra" in choice and not _HYDRA_CHOICE.fullmatch(choice):
            yield f"defaults: {choice}: only the command line may set Hydra itself"
    if not isinstance(content, dict):
        return
    for name in ("resume", "branch_from", "init_from", "run_dir"):
        if content.get(name) is not None:
            yield f"{name}: only the command line may choose a run folder"
    if "hydra" in content:
        yield from _hydra_problems(content["hydra"])


def _hydra_problems(node: Any, *path: str) -> Iterator[str]:
    """Yields a message for each value of the section `hydra` but those that say which runs a sweep has."""
    if isinstance(node, dict):
        for name, child in node.items():
            yield from _hydra_problems(child, *path, str(name))
        return
    key = ".".join(path)
    swept = path[:2] == ("sweeper", "params") and len(path) == 3
    allowed = _SWEPT_KEY.fullmatch(path[2]) if swept else key in _HYDRA_KEYS
    texts = node if isinstance(node, list) else [node]
    plain = all(isinstance(text, str | int | float | None) and "${" not in str(text) for text in texts)
    if not (allowed and plain):  # Hydra would build objects of other values
        yield f"{'.'.join(['hydra', *path])}: only the command line may set it"


def _interpolation_problems(text: str) -> Iterator[str]:
    """Yields a message for each `${...}` that is neither another key nor a call of a harmless resolver."""
    for found in re.finditer(r"\$\{\s*([\w.\[\]]*)\s*(.?)", text):
        name, after = found.groups()
        own = name == "oc.env" and _OWN_VARIABLE.match(text, found.end())
        if not (after == "}" or (after == ":" and (name in _RESOLVERS or own))):
            yield f"{text[:80]!r}: only the command line may read the environment or call this resolver"


def _strings(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for name, child in node.items():
            yield from _strings(name)
            yield from _strings(child)
    elif isinstance(node, list):
        for child in node:
            yield from _strings(child)
