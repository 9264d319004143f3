"""How much faster a step of train.py is than in another checkout of the project, such as an earlier commit.

    git worktree add --detach ../before a0751aa
    python benchmarks/against_before.py ../before

Both train the same configuration, each in a process of one thread; they take turns of some batches, and what counts is
the CPU time that a process has used in its turn. The averaged generator, pictures and the progress bar are off.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any

from lightning import Callback, LightningModule, Trainer

import gan_lightning

# An import that fails would not tell: where the package is installed from a checkout, that one's modules join.
if Path(gan_lightning.__file__).with_name("cadence.py").exists():
    from gan_lightning.cadence import StepCallback
else:  # an earlier checkout, in which Lightning's loop takes every batch

    class StepCallback(Callback):  # type: ignore[no-redef]
        def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *given: Any) -> None:
            self.on_step_end(trainer, pl_module, None, None)  # type: ignore[attr-defined]


PROJECT = Path(__file__).resolve().parent.parent
CASES = {
    "MLP + R1, digits 28x28": (),
    "DCGAN 64x64": ("model=dcgan", "data.image_shape=[3,64,64]"),
    "DCGAN 64x64 + R1": ("network=dcgan", "data.image_shape=[3,64,64]"),
    "ResNet 32x32 + R1": ("network=resnet", "data.image_shape=[3,32,32]"),
    "R3GAN 32x32": ("model=r3gan", "network=r3gan", "data.image_shape=[3,32,32]"),
}
"""The overrides of each; all of them on the bundled digits."""
OFF = tuple(f"callbacks.{name}=null" for name in ("ema", "samples", "progress"))


class Turn(StepCallback):
    """Waits for a line on the standard input before every `block` batches, and writes the CPU seconds that they took.

    Args:
        block: The number of batches in a turn.
        pipe: The number of the file to write to.
    """

    def __init__(self, block: int, pipe: int) -> None:
        self.block = block
        self.answers = os.fdopen(pipe, "w", buffering=1)
        self._since = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._wait()

    def on_step_end(self, trainer: Trainer, model: Any, batch: Any, output: Any) -> None:
        if trainer.global_step % self.block == 0:
            print(time.process_time() - self._since, file=self.answers)
            self._wait()

    def _wait(self) -> None:
        sys.stdin.readline()
        self._since = time.process_time()


class Worker:
    """A training run of one checkout that waits for its turns.

    Args:
        checkout: The folder of the project.
        options: The overrides of the command line.
        block: The number of batches in a turn.
        folder: The run folder.
    """

    def __init__(self, checkout: Path, options: tuple[str, ...], block: int, folder: str) -> None:
        answers, pipe = os.pipe()
        turn = f"+callbacks.turn={{_target_:against_before.Turn,block:{block},pipe:{pipe}}}"
        paths = f"{checkout}:{PROJECT / 'benchmarks'}"
        environment = {"PYTHONPATH": paths, "GAN_LIGHTNING_TRUST": "against_before", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "train.py", "trainer=cpu", *options, *OFF, turn, f"hydra.run.dir={folder}"],
            cwd=checkout,
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=(pipe,),
            text=True,
        )
        os.close(pipe)
        self.answers: IO[str] = os.fdopen(answers)

    def turn(self) -> float:
        """Trains a turn and returns its CPU seconds."""
        assert self.process.stdin
        print(file=self.process.stdin, flush=True)
        answer = self.answers.readline()
        if not answer:
            raise SystemExit("a run has ended before its last turn; see its message above")
        return float(answer)

    def end(self) -> None:
        """Ends the run."""
        self.process.kill()
        self.process.wait()


def compare(before: Path, options: tuple[str, ...], here: tuple[str, ...], block: int, turns: int) -> list[list[float]]:
    """Returns the CPU seconds of each turn in the other checkout, and in this one."""
    batches = f"trainer.max_steps={block * (turns + 2)}"
    with tempfile.TemporaryDirectory() as folder:
        workers = [
            Worker(before, (*options, batches), block, f"{folder}/before"),
            Worker(PROJECT, (*options, *here, batches), block, f"{folder}/here"),
        ]
        try:
            rounds = [[worker.turn() for worker in workers] for _ in range(turns + 1)]
        finally:
            for worker in workers:
                worker.end()
    return [list(seconds) for seconds in zip(*rounds[1:], strict=True)]  # the first turn also allocates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=lambda given: Path(given).absolute(), help="the other checkout")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument(
        "--here", nargs="*", default=(), help="overrides for this checkout alone: model.reuse_fake=true"
    )
    parser.add_argument("--block", type=int, default=5, help="batches in a turn")
    parser.add_argument("--turns", type=int, default=12)
    options = parser.parse_args()
    print("| | before, ms a batch | here | times as fast | quartiles |\n| --- | --- | --- | --- | --- |")
    for name in options.cases:
        before, here = compare(options.before, CASES[name], tuple(options.here), options.block, options.turns)
        low, median, high = statistics.quantiles([b / h for b, h in zip(before, here, strict=True)], n=4)
        times = " | ".join(f"{1000 * statistics.median(each) / options.block:,.1f}" for each in (before, here))
        print(f"| {name} | {times} | {median:.2f} | {low:.2f} to {high:.2f} |", flush=True)


if __name__ == "__main__":
    main()
