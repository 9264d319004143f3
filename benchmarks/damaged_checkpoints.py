"""Damages the checkpoints of a small run, one bit or one truncation at a time, and has every reader read them.

A damage is told if the reader ends with one line and writes nothing. It is silent if the reader goes on, and a trace if
another exception than that of a user's mistake leaves it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import gan_lightning
from gan_lightning.cli import evaluate, generate
from gan_lightning.errors import UserError

RUN = ("trainer=cpu", "trainer.max_steps=8", "callbacks.progress=null", "callbacks.checkpoints.keep_every_n_steps=4")
BEST = ("metrics=random", "callbacks.evaluation.num=64", "callbacks.evaluation.every_n_steps=4", "data.limit=256")
SMALL = ("network.generator.hidden_dims=[16]", "network.discriminator.hidden_dims=[16]", "data.batch_size=32")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flips", type=int, default=300, help="bits to flip for each reader (default: 300)")
    parser.add_argument("--truncations", type=int, default=100, help="truncations for each reader (default: 100)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "run")
        monitor = "callbacks.checkpoints.monitor=metric/fid"
        gan_lightning.train([*RUN, *BEST, *SMALL, monitor, f"hydra.run.dir={folder}"])
        print("reader    file                      damage      tried  told  silent  traces")
        for reader, read in READERS.items():
            for name in FILES[reader]:
                file = folder / "checkpoints" / name
                for kind, count in (("bit", options.flips), ("truncation", options.truncations)):
                    each = count // len(FILES[reader]) + (count % len(FILES[reader]) > 0)
                    found = Counter(outcome(read, file, damaged) for damaged in damages(file, kind, each))
                    results = f"{each:7,}{found['told']:6,}{found['silent']:8,}{found['trace']:8,}"
                    print(f"{reader:10}{name:26}{kind:10}{results}", flush=True)


def damages(file: Path, kind: str, count: int) -> Iterator[bytes]:
    content, draw = file.read_bytes(), random.Random(f"{file.name} {kind}")
    for _ in range(count):
        if kind == "truncation":
            yield content[: draw.randrange(len(content))]
        else:
            bit = draw.randrange(8 * len(content))
            yield content[: bit // 8] + bytes([content[bit // 8] ^ 1 << bit % 8]) + content[bit // 8 + 1 :]


def outcome(read: Callable[[Path], object], file: Path, damaged: bytes) -> str:
    """What a reader makes of damaged content in place of a file; it is restored afterwards."""
    content = file.read_bytes()
    file.write_bytes(damaged)
    before = sorted(file.parent.parent.rglob("*"))
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            read(file)
    except UserError:
        return "told" if sorted(file.parent.parent.rglob("*")) == before else "silent"
    except SystemExit as leaving:
        return "told" if str(leaving.code).startswith("error: ") else "trace"
    except BaseException:
        return "trace"
    finally:
        file.write_bytes(content)
    return "silent"


READERS: dict[str, Callable[[Path], object]] = {
    "resume": lambda file: gan_lightning.train([f"resume={file}", "trainer.max_steps=10"]),
    "generate": lambda file: generate.main([str(file), "--num", "4", "--out", str(file.parent / "out.png")]),
    "evaluate": lambda file: evaluate.main([str(file), "--num", "64", "--extractor", "random"]),
    "load": gan_lightning.load,
}
CHECKPOINTS = ("last.ckpt", "step_00000004.ckpt", "best.ckpt")
FILES = {
    "resume": CHECKPOINTS,
    "generate": CHECKPOINTS,
    "evaluate": CHECKPOINTS,
    "load": (*CHECKPOINTS, "generator.safetensors", "discriminator.safetensors"),
}

if __name__ == "__main__":
    main()
