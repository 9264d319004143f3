"""Every key of four experiments, set to each of 17 strange values: refused in one line, or accepted; never a trace.

Some of the accepted are trained for two batches: python benchmarks/fuzz_keys.py --train 100
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import functools
import io
import itertools
import os
import signal
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import hydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

import gan_lightning
from gan_lightning.config.check import check
from gan_lightning.config.options import conf_folder
from gan_lightning.config.resolvers import register_resolvers
from gan_lightning.errors import UserError

SMALL = ("trainer=cpu", "trainer.max_steps=2", "callbacks.progress=null")
MLP = ("network.generator.hidden_dims=[8]", "network.discriminator.hidden_dims=[8]")
DCGAN = (
    *("network.generator.channels=[4,4]", "network.generator.strides=[2,2]", "data.batch_size=8"),
    *("network.discriminator.channels=[4,4]", "network.discriminator.strides=[2,2]"),
)
EVALUATION = ("callbacks.evaluation.num=50", "callbacks.samples.num=4")
EXPERIMENTS: dict[str, tuple[str, ...]] = {
    "digits, classifier": (*SMALL, *MLP, "data.batch_size=8", "metrics=classifier", *EVALUATION),
    "dcgan_mnist, adaptive": (
        *(*SMALL, "experiment=dcgan_mnist", "augment=adaptive", "regularizer=lecam", *DCGAN),
        *("data.limit=64", "callbacks.samples.num=4", "data.image_shape=[1,16,16]"),
    ),
    "cgan_tags_small": (
        *(*SMALL, "experiment=cgan_tags_small", *DCGAN, "data.count=64", "data.image_shape=[3,16,16]"),
        *("callbacks.samples.num=4", "logger=csv"),
    ),
    "gaussians_ring, wgan_gp": (
        *(*SMALL, *MLP, "experiment=gaussians_ring", "model=wgan_gp", "model/optimizer=rmsprop"),
        *("data.batch_size=16", "callbacks.samples.num=16"),
        "+model.scheduler={_target_: torch.optim.lr_scheduler.StepLR, _partial_: true, step_size: 10, gamma: 0.5}",
    ),
}
VALUES = {
    **{text: text for text in ("null", "true", "-1", "0", "1000000000", "1e308", "-0.5", "nan", "inf", "text")},
    **{text: text for text in ("''", "[]", "{}", "[1,[2]]", "{a: 1}", "${seed}")},
    "10^400": "1" + "0" * 400,
}
"""The strange values as a command line gives them, by a short name."""
Attempt = tuple[str, str, str]
"""Experiment, key, and the name of the value."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=int, default=0, metavar="N", help="train N of the accepted for two batches")
    parser.add_argument("--seconds", type=int, default=20, help="the time limit of an attempt")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="check only every N-th pair of key and value")
    arguments = parser.parse_args()
    register_resolvers()
    outcomes = _told("composed and checked", _attempts(arguments.seconds, arguments.every))
    accepted = [attempt for attempt, result in outcomes.items() if result == "accepted"]
    if arguments.train:
        spread = accepted[:: max(1, len(accepted) // arguments.train)][: arguments.train]
        _told("trained", ((attempt, _trained(attempt, arguments.seconds)) for attempt in spread))


def _attempts(seconds: int, every: int) -> Iterator[tuple[Attempt, str]]:
    """Yields each attempt and its outcome. The configuration is composed once; Hydra sets a value in the same way."""
    parser = OverridesParser.create()
    for name, overrides in EXPERIMENTS.items():
        with hydra.initialize_config_dir(str(conf_folder()), version_base="1.3"):
            composed = hydra.compose("config", [*overrides, "name=run", "run_dir=run"])
        check(composed)  # imports what checks need, without a time limit
        for key, value in list(itertools.product(_leaves(composed), VALUES))[::every]:
            override = parser.parse_override(f"{key}={VALUES[value]}")
            yield (name, key, value), outcome(functools.partial(_check, composed, override), seconds)


def _leaves(node: Any, key: str = "") -> Iterator[str]:
    """Yields the keys of the values that no interpolation of a section repeats."""
    for name in node:
        path = f"{key}.{name}".lstrip(".")
        if OmegaConf.is_missing(node, name) or not isinstance(node[name], DictConfig) or not node[name]:
            yield path
        elif not OmegaConf.is_interpolation(node, name):
            yield from _leaves(node[name], path)


def _check(composed: DictConfig, override: Any) -> None:
    config = copy.deepcopy(composed)
    OmegaConf.update(config, override.key_or_group, override.value(), merge=True)
    check(config)


def _trained(attempt: Attempt, seconds: int) -> str:
    """Trains in a folder of its own, which is also the current one: some values are names of folders."""
    name, key, value = attempt
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.chdir(folder)
        place = [] if key == "run_dir" else [f"hydra.run.dir={folder}/run"]
        overrides = [*EXPERIMENTS[name], f"{key}={VALUES[value]}", *place]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return outcome(lambda: gan_lightning.train(overrides), seconds)


def outcome(action: Callable[[], object], seconds: int) -> str:
    """Returns accepted, refused (with a message for users), hang, or where the stack trace ends."""
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(seconds)
    try:
        action()
        return "accepted"
    except TimeoutError:
        return "hang"
    except (UserError, FloatingPointError, OmegaConfBaseException):
        return "refused"
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"trace: {type(error).__name__}: {str(error)[:60]!r} at {Path(last.filename).name}:{last.lineno}"
    finally:
        signal.alarm(0)


def _too_long(*_: Any) -> None:
    raise TimeoutError


def _told(title: str, attempts: Iterable[tuple[Attempt, str]]) -> dict[Attempt, str]:
    """Prints each trace and each hang, then the counts; returns the outcomes."""
    outcomes = {}
    for attempt, result in attempts:
        outcomes[attempt] = result
        if result not in ("accepted", "refused"):
            print("  ", *attempt, result, sep="  ", flush=True)
    kinds = Counter(result.partition(":")[0] for result in outcomes.values())
    print(f"{title}: {len(outcomes)}", *(f"{kind} {count}" for kind, count in sorted(kinds.items())), sep=" | ")
    return outcomes


if __name__ == "__main__":
    main()
