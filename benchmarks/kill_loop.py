"""A run of two processes under random signals, with `resume=auto` in a loop, against the same run undisturbed.

    python benchmarks/kill_loop.py --minutes 60

A random one of the two processes gets SIGKILL, SIGTERM or SIGSTOP, at a random time after the start or after the first
batch. A stopped process goes on after some seconds, or is killed. Then the same command is given again. When the time
is over, the run is ended, and its weights are compared with those of a run that nobody disturbed.

It prints a line per start and a table at the end. "Lost" are the batches that had to be trained again.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import struct
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from undisturbed import problems

from gan_lightning.cadence import StepCallback

HERE = Path(__file__).resolve().parent
SIGNALS = {"SIGKILL": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "SIGSTOP": signal.SIGSTOP}
PATIENCE = 180.0
"""The time after which a run that neither trains nor ends is called hung, in seconds."""
OPTIONS = (
    "trainer=cpu",
    "trainer.devices=2",
    "callbacks.progress=null",
    "callbacks.samples=null",
    "network.generator.hidden_dims=[32,32]",
    "network.discriminator.hidden_dims=[32]",
    "data.batch_size=32",
    "callbacks.checkpoints.every_n_steps=20",
    "logger.tensorboard=null",
    "+callbacks.batches={_target_: kill_loop.Batches, path: '${run_dir}.batches'}",
)


class Batches(StepCallback):
    """Writes the number of the last batch that was trained, and of the batch from which the session went on."""

    def __init__(self, path: str) -> None:
        self.path = path

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self._write(trainer, os.O_CREAT, at=8)

    def on_step_end(self, trainer: Any, *_: Any) -> None:
        self._write(trainer, 0, at=0)

    def _write(self, trainer: Any, flags: int, at: int) -> None:
        if trainer.is_global_zero:
            file = os.open(self.path, os.O_WRONLY | flags)
            os.pwrite(file, struct.pack("<q", trainer.global_step), at)
            os.close(file)


class Session:
    """One start of the run, in processes of its own."""

    def __init__(self, folder: Path, log: Path, *more: str) -> None:
        self.counts = folder.with_name(f"{folder.name}.batches")
        self.counts.unlink(missing_ok=True)
        modules = os.pathsep.join([str(HERE.parent), str(HERE)])
        with log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(HERE.parent / "train.py"), *OPTIONS, f"hydra.run.dir={folder}", *more],
                env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": modules, "GAN_LIGHTNING_TRUST": "kill_loop"},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def batches(self) -> tuple[int, int] | None:
        """The number of the last batch, and of that from which the session went on; None before the first batch."""
        content = self.counts.read_bytes() if self.counts.exists() else b""
        last, first = struct.unpack("<qq", content) if len(content) == 16 else (0, 0)
        return (last, first) if last else None

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def processes(self) -> list[int]:
        """The numbers of the run's processes that are alive, the first one's first."""
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                fields = (place / "stat").read_text().rpartition(")")[2].split()
                worker = b"gan_lightning.training.worker" in (place / "cmdline").read_bytes()
            except OSError:  # it has ended meanwhile
                continue
            in_session, zombie = int(fields[3]) == self.process.pid, fields[0] == "Z"
            if in_session and not zombie and (worker or int(place.name) == self.process.pid):
                found.append(int(place.name))
        return sorted(found, key=lambda number: number != self.process.pid)

    def end(self) -> None:
        """Ends what is left, as a scheduler does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def wait(condition: Callable[[], Any], seconds: float) -> bool:
    """Waits until the condition holds, at most so long; returns whether it does."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def disturb(session: Session, rng: random.Random) -> tuple[list[str], bool]:
    """Sends signals until the session ends; returns what was done, and whether the run hung."""
    done: list[str] = []
    while not session.has_ended():
        if rng.random() < 0.2:
            wait(session.has_ended, rng.uniform(0, 15))  # most of the time before the first batch
        elif wait(lambda: session.has_ended() or session.batches(), PATIENCE):
            wait(session.has_ended, rng.uniform(0, 10))
        else:
            return done or ["none"], True
        alive = session.processes()
        if session.has_ended() or not alive:
            break
        victim = rng.choice(alive)
        rank, kind = alive.index(victim), rng.choice(list(SIGNALS))
        send(victim, SIGNALS[kind])
        if kind != "SIGSTOP":
            done.append(f"{kind} rank {rank}")
        else:
            wait(session.has_ended, rng.uniform(1, 8))
            before, goes_on = session.batches(), rng.random() < 0.5
            send(victim, signal.SIGCONT if goes_on else signal.SIGKILL)
            done.append(f"SIGSTOP, {'SIGCONT' if goes_on else 'SIGKILL'} rank {rank}")
            if goes_on:
                if wait(lambda: session.has_ended() or session.batches() != before, PATIENCE):  # noqa: B023
                    continue
                return done or ["none"], True
        if not wait(session.has_ended, PATIENCE):
            return done or ["none"], True
    return done or ["none"], False


def send(process: int, number: int) -> None:
    """Sends a signal to a process that may have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, number)


class Tally:
    """What happened so far, in figures."""

    def __init__(self) -> None:
        self.starts = self.hung = self.left_behind = self.trained = 0
        self.kinds: Counter[str] = Counter()
        self.codes: Counter[int] = Counter()
        self.lost: dict[str, list[int]] = defaultdict(list)
        self._reached, self._by = 0, ""
        """The last batch before the last signal that ended a session, and that signal."""

    def add(self, session: Session, done: list[str], hung: bool) -> None:
        """Counts a session that has ended, ends what is left of it, and prints a line."""
        left_behind = not wait(lambda: not session.processes(), 15)
        session.end()
        batches, code = session.batches(), session.process.returncode
        self.starts += 1
        self.hung += hung
        self.left_behind += left_behind
        self.kinds.update(done)
        self.codes[code] += 1
        place = "before its first batch"
        if batches:
            place = f"batches {batches[1]:,} to {batches[0]:,}"
            if self._by:
                self.lost[self._by].append(self._reached - batches[1])
                place += f" (lost: {self._reached - batches[1]})"
            self._reached, self._by = batches[0], done[-1]
            self.trained += batches[0] - batches[1]
        notes = "; HUNG" * hung + "; LEFT BEHIND" * left_behind
        print(f"start {self.starts}: {place}; {', '.join(done)}; exit code {code}{notes}", flush=True)

    def table(self) -> str:
        lines = [f"{'signal':30} {'times':>6} {'lost: mean':>11} {'most':>6}"]
        for what, times in self.kinds.most_common():
            lost = self.lost[what]
            lines.append(f"{what:30} {times:6} {sum(lost) / max(len(lost), 1):11.1f} {max(lost, default=0):6}")
        everything = [number for lost in self.lost.values() for number in lost]
        return "\n".join(
            [
                *lines,
                f"starts {self.starts}, hung {self.hung}, with processes left behind {self.left_behind}",
                f"exit codes: {', '.join(f'{code}: {times}' for code, times in self.codes.most_common())}",
                f"batches trained {self.trained:,}, of them again {sum(everything):,}",
            ]
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60, help="of signals; the end and the comparison come after")
    parser.add_argument("--seed", type=int, default=0, help="of the times and kinds of the signals")
    parser.add_argument("--out", type=Path, default=Path("logs/kill_loop"), help="a new folder")
    options = parser.parse_args()
    out, rng, tally = options.out.absolute(), random.Random(options.seed), Tally()
    (out / "output").mkdir(parents=True)
    run, undisturbed = out / "run", out / "undisturbed"
    deadline = time.monotonic() + 60 * options.minutes
    while time.monotonic() < deadline:
        session = Session(
            run, out / "output" / f"{tally.starts + 1:04}.txt", "resume=auto", "trainer.max_steps=1000000000"
        )
        try:
            tally.add(session, *disturb(session, rng))
        finally:
            session.end()
    print(tally.table(), flush=True)
    last = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
    limit = f"trainer.max_steps={last + 500}"
    for folder, more in ((run, ["resume=auto"]), (run, ["resume=auto"]), (undisturbed, [])):
        session = Session(folder, out / "output" / f"{folder.name}_to_the_end.txt", *more, limit)
        print(f"{folder.name} to batch {last + 500:,}: exit code {session.process.wait()}", flush=True)
    found = problems(run, undisturbed)
    print("\n".join(found) or "every tensor and the list of files are those of the undisturbed run")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
