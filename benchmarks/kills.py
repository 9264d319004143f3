"""Runs that are killed at file operations and resumed, against the same run undisturbed.

    python benchmarks/kills.py --runs 100

Each run is a process of its own, forked from this one, which has imported everything. It sends itself SIGKILL before or
after its n-th operation: opening a file to write, torch.save (half of the file), fsync, rename, link, unlink, mkdir.
Then `resume=auto` goes on, and is killed again half of the time, until the run has ended. The list of its files, its
pictures and every tensor have to be those of the undisturbed run.
"""

from __future__ import annotations

import argparse
import builtins
import contextlib
import io
import os
import random
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from undisturbed import problems

import gan_lightning
import gan_lightning.training.experiment  # so that the forked processes need not import it

OPTIONS = (
    "trainer=cpu",
    "trainer.max_steps=8",
    "trainer.log_every_n_steps=1",
    "callbacks.progress=null",
    "callbacks.samples.every_n_steps=2",
    "callbacks.samples.num=4",
    "callbacks.checkpoints.every_n_steps=3",
    "callbacks.checkpoints.keep_every_n_steps=4",
    "callbacks.checkpoints.monitor=loss/generator",
    "network.generator.hidden_dims=[16,16]",
    "network.discriminator.hidden_dims=[16]",
    "network.generator.latent_dim=8",
    "data.batch_size=32",
)


class Operations:
    """Counts file operations in this process, and kills it at one of them.

    Args:
        at: The number of the operation, from 1; 0 kills at none.
        after: Whether to kill after the operation, and not before.
        log: The file to which each operation's name is appended.
    """

    def __init__(self, at: int, after: bool, log: Path) -> None:
        self.at, self.after, self.count = at, after, 0
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for name in ("replace", "rename", "link", "fsync", "unlink", "remove", "mkdir"):
            setattr(os, name, self._watched(f"os.{name}", getattr(os, name)))
        builtins.open = io.open = self._watched("open", builtins.open)  # type: ignore[assignment]
        torch.save = self._watched("torch.save", torch.save)

    def _watched(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            mode = str(more.get("mode", args[1] if len(args) > 1 else "r"))
            if name == "open" and not set(mode) & set("wax+"):
                return function(*args, **more)
            self.count += 1
            dies = self.count == self.at
            os.write(self.log, f"{name}\n".encode())
            if dies and not self.after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = function(*args, **more)
            if dies:
                if name == "torch.save":
                    half(args[1])
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call


def half(file: Any) -> None:
    """Leaves half of a file that torch has saved."""
    if isinstance(file, str | Path):
        os.truncate(file, Path(file).stat().st_size // 2)
    else:
        file.flush()
        os.truncate(file.fileno(), file.tell() // 2)


def run_apart(folder: Path, at: int = 0, after: bool = False) -> int:
    """Trains in a forked process; returns its exit code, which is negative if a signal ended it."""
    log = folder.with_name(f"{folder.name}.operations")
    log.unlink(missing_ok=True)
    process = os.fork()
    if process == 0:
        code = 1
        with folder.with_name(f"{folder.name}.txt").open("a") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            try:
                Operations(at, after, log)
                gan_lightning.train([*OPTIONS, "resume=auto", f"hydra.run.dir={folder}"])
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                with contextlib.suppress(Exception):
                    sys.stdout.flush()
                os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def operations(folder: Path) -> list[str]:
    """The names of the operations of the last process in `folder`."""
    log = folder.with_name(f"{folder.name}.operations")
    return log.read_text().split() if log.exists() else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the second and later kills")
    parser.add_argument("--out", type=Path, default=Path("logs/kills"), help="a new folder")
    options = parser.parse_args()
    torch.set_num_threads(1)
    out, rng, since = options.out.absolute(), random.Random(options.seed), time.monotonic()
    out.mkdir(parents=True)
    undisturbed = out / "undisturbed"
    if run_apart(undisturbed):
        sys.exit((out / "undisturbed.txt").read_text())
    total = len(operations(undisturbed))
    print(f"{total} operations: {dict(Counter(operations(undisturbed)))}", flush=True)
    kills: Counter[str] = Counter()
    unclean: Counter[str] = Counter()
    for number in range(options.runs):
        folder, killed_at = out / f"{number:04}", []
        at, after = 1 + number * total // options.runs, bool(number % 2)
        for _ in range(10):
            code = run_apart(folder, at, after)
            if code != -signal.SIGKILL:
                break
            killed_at.append(f"{'after' if after else 'before'} {operations(folder)[-1]} {at}")
            again = rng.random() < 0.5 and len(killed_at) < 4
            at, after = rng.randint(1, total) if again else 0, rng.random() < 0.5
        found = problems(folder, undisturbed) if code == 0 else [f"exit code {code}"]
        for place in killed_at:
            kills[place.rpartition(" ")[0]] += 1
        if found:
            unclean.update(place.rpartition(" ")[0] for place in killed_at)
            print(f"{folder.name}: killed {', '.join(killed_at)}: {'; '.join(found[:4])}", flush=True)
    print(f"{'killed':24} {'times':>6} {'in runs that were not clean':>28}")
    for place, times in sorted(kills.items()):
        print(f"{place:24} {times:6} {unclean[place]:28}")
    print(f"{sum(kills.values())} kills of {options.runs} runs in {time.monotonic() - since:.0f} s")


if __name__ == "__main__":
    main()
