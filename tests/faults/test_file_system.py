"""Faults of the file system: one line, exit code 1, nothing half-written; the run goes on when the fault is mended."""

import builtins
import errno
import fcntl
import io
import itertools
import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image
from tensorboard.summary.writer.record_writer import RecordWriter

from gan_lightning.callbacks import Record
from gan_lightning.files import read_json
from gan_lightning.models.rebuild import read
from gan_lightning.tensor_file import load_tensors
from gan_lightning.training import checkpoint
from tests.conftest import TINY, Outcome, training_differences

RUN = (
    *(option for option in TINY if "samples" not in option),
    *("data.limit=64", "trainer.max_steps=4", "trainer.log_every_n_steps=1"),
    *("callbacks.samples.every_n_steps=2", "callbacks.checkpoints.every_n_steps=2"),
)
"""A run of two checkpoints."""


def fail(patch: pytest.MonkeyPatch, owner: object, name: str, number: int, pattern: str = "", spared: int = 0) -> None:
    """Lets one call of a function fail: the first with an argument like `pattern`, after `spared` others of those."""
    real, count = getattr(owner, name), itertools.count()

    def failing(*arguments, **options):
        if re.search(pattern, " ".join(map(str, arguments))) and next(count) == spared:
            paths = [str(argument) for argument in arguments if isinstance(argument, str | Path)]
            raise OSError(number, os.strerror(number), *paths[:1], *[None, *paths[1:2]] if name == "replace" else [])
        return real(*arguments, **options)

    patch.setattr(owner, name, failing)


def refuse(patch: pytest.MonkeyPatch, owner: object, name: str, number: int) -> None:
    """Lets every call of a function fail."""

    def failing(*_, **__):
        raise OSError(number, os.strerror(number))

    patch.setattr(owner, name, failing)


class HalfWritten(io.FileIO):
    """A file that takes half of what is written to it."""

    number = errno.ENOSPC

    def write(self, content) -> int:
        super().write(bytes(content)[: len(content) // 2])
        raise OSError(self.number, os.strerror(self.number))


def fill_up(patch: pytest.MonkeyPatch, number: int, pattern: str, spared: int = 0) -> None:
    """Lets writing to files like `pattern` fail half-way, after the first `spared` files."""
    real, left = io.open, iter(range(spared))

    def opening(path, mode="r", *arguments, **options):
        written = set(mode) & set("wa") and re.search(pattern, str(path))
        if not written or next(left, None) is not None:
            return real(path, mode, *arguments, **options)
        raw = HalfWritten(path, mode.strip("bt+"))
        raw.number = number
        file = io.BufferedWriter(raw)
        return file if "b" in mode else io.TextIOWrapper(file)

    patch.setattr(io, "open", opening)
    patch.setattr(builtins, "open", opening)


def part(name: str) -> str:
    """A pattern for the temporary file of a final name."""
    return rf"/\.{re.escape(name)}[^/]*\.part"


Fault = Callable[[pytest.MonkeyPatch], None]


def of(function: Callable, *arguments, **options) -> Fault:
    return lambda patch: function(patch, *arguments, **options)


FAULTS: dict[str, tuple[Fault, str]] = {
    # what fails, and what the message must contain
    "disk full: checkpoint": (of(fill_up, errno.ENOSPC, part("last.ckpt"), 1), "last.ckpt: No space left on device"),
    "quota: checkpoint": (of(fill_up, errno.EDQUOT, part("last.ckpt"), 1), "last.ckpt: Disk quota exceeded"),
    "stale NFS handle: checkpoint": (of(fill_up, errno.ESTALE, part("last.ckpt"), 1), "last.ckpt: Stale file handle"),
    "too many open files": (of(fail, io, "open", errno.EMFILE, part("last.ckpt"), 1), "last.ckpt: Too many open files"),
    "rename: checkpoint": (of(fail, os, "replace", errno.EACCES, "/last.ckpt", 1), "last.ckpt: Permission denied"),
    "fsync: checkpoint": (of(fail, os, "fsync", errno.EIO, "", 12), ": Input/output error"),
    "read-only: mkdir checkpoints": (of(fail, os, "mkdir", errno.EROFS, "/checkpoints"), "Read-only file system"),
    "mkdir samples": (of(fail, os, "mkdir", errno.EACCES, "/samples"), "Permission denied"),
    "disk full: summary at the start": (of(fill_up, errno.ENOSPC, part("summary.json")), "summary.json: No space"),
    "disk full: config.yaml": (of(fill_up, errno.ENOSPC, r"run/\.config.yaml"), "config.yaml: No space left"),
    "disk full: .hydra": (of(fill_up, errno.ENOSPC, part("overrides.yaml")), "overrides.yaml: No space left"),
    "rename: config.yaml": (of(fail, os, "replace", errno.EIO, "run/config.yaml"), "config.yaml: Input/output error"),
    "disk full: picture": (of(fill_up, errno.ENOSPC, part("step_00000004.png")), "step_00000004.png: No space left"),
    "PNG encoder": (of(fail, Image.Image, "save", errno.EIO, part("step_00000002.png")), "step_00000002.png: Input"),
    "disk full: GIF": (of(fail, os, "sendfile", errno.ENOSPC), "samples/video.gif: No space left on device"),
    "disk full: MP4": (of(fail, os, "sendfile", errno.ENOSPC, "", 2), "samples/video.mp4: No space left on device"),
    "disk full: generator": (of(fill_up, errno.ENOSPC, part("generator.safetensors")), "generator.safetensors: No"),
    "rename: discriminator": (
        of(fail, os, "replace", errno.EROFS, "/discriminator.safetensors"),
        "discriminator.safetensors: Read-only file system",
    ),
    "disk full: summary at the end": (of(fill_up, errno.ENOSPC, part("summary.json"), 1), "summary.json: No space"),
    "TensorBoard's thread": (of(fail, RecordWriter, "write", errno.ENOSPC, "", 6), "run: No space left on device"),
    "locks: ENOLCK": (of(refuse, fcntl, "flock", errno.ENOLCK), "its file system cannot lock files"),
    "locks: ENOTSUP": (of(refuse, fcntl, "flock", errno.EOPNOTSUPP), "its file system cannot lock files"),
    "locks: EIO": (of(refuse, fcntl, "flock", errno.EIO), "run: Input/output error"),
    "lock file": (of(fail, os, "open", errno.ENOSPC, r"/\.lock"), ".lock: No space left on device"),
    "mkdir run folder": (of(fail, os, "mkdir", errno.EROFS, "/run "), "/run: Read-only file system"),
    "no temporary folder": (of(fail, tempfile, "mkdtemp", errno.ENOSPC), "No space left on device"),
}
QUICK = ("disk full: checkpoint",)


@pytest.fixture
def undisturbed(trained) -> Outcome:
    return trained(*RUN)


def files_of(folder: Path) -> set[str]:
    """The files of a run; the names of TensorBoard's have the time in them."""
    paths = (path for path in folder.rglob("*") if path.is_file() and ".tfevents" not in path.name)
    return {str(path.relative_to(folder)) for path in paths}


def require_whole(folder: Path) -> None:
    """Reads every file of a run, except for logs, and finds no temporary one."""
    readers = {
        ".ckpt": read,
        ".json": read_json,
        ".safetensors": load_tensors,
        ".png": lambda path: Image.open(io.BytesIO(path.read_bytes())).load(),
        ".gif": lambda path: Image.open(io.BytesIO(path.read_bytes())).load(),
        ".part": lambda path: pytest.fail(f"left over: {path}"),
    }
    for path in filter(Path.is_file, folder.rglob("*")):
        readers.get(path.suffix, lambda path: None)(path)


def require_one_line(outcome: Outcome, message: str) -> None:
    assert outcome.code == 1, outcome.output
    errors = [line for line in outcome.output.splitlines() if "rror" in line]
    assert len(errors) == 1, outcome.output
    assert errors[0].startswith("error: ")
    assert message in errors[0]
    assert "Traceback" not in outcome.output


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in FAULTS])
def test_a_fault_is_one_line_and_the_run_goes_on(command, undisturbed, name):
    fault, message = FAULTS[name]
    with pytest.MonkeyPatch.context() as patch:
        fault(patch)
        failed = command("run", *RUN)
    require_one_line(failed, message)
    require_whole(failed.folder)
    summary = read_json(failed.folder / "summary.json")
    assert summary.get("status", "failed") == ("running" if "summary at the end" in name else "failed")
    assert_completes(command, failed, undisturbed)


@pytest.fixture
def disk(tmp_path) -> Iterator[Path]:
    """A file system of 2 MB and 60 inodes."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m,nr_inodes=60", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def use_up_space(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def use_up_inodes(disk: Path) -> None:
    (disk / "filler").mkdir()
    with suppress(OSError):
        for number in itertools.count():
            (disk / "filler" / str(number)).touch()


@pytest.mark.slow
@pytest.mark.parametrize("use_up", [use_up_space, use_up_inodes])
@pytest.mark.parametrize("after", ["summary.json", "last.ckpt", "generator.safetensors"])
def test_a_disk_that_gets_full(command, undisturbed, disk, monkeypatch, after, use_up):
    real = os.replace

    def replace(source, target):
        real(source, target)
        if Path(target).name == after and not (disk / "filler").exists():
            use_up(disk)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        failed = command("disk/run", *RUN)
    require_one_line(failed, "No space left on device. Free space there, or inodes (df -i)")
    require_whole(failed.folder)
    subprocess.run(["rm", "-r", str(disk / "filler")], check=True)
    assert_completes(command, failed, undisturbed)


@pytest.mark.slow
def test_a_disk_that_gets_full_while_training_goes_on(command, trained, disk, monkeypatch):
    longer = (*RUN, "trainer.max_steps=6")
    batch_5, write = threading.Event(), checkpoint.write_checkpoint
    end = Record.on_step_end

    def end_batch(self, trainer, *more):
        end(self, trainer, *more)
        if trainer.global_step == 5:
            batch_5.set()

    def write_late(saved, path):
        if saved["global_step"] == 4:
            assert batch_5.wait(20)
            use_up_space(disk)
        write(saved, path)

    with monkeypatch.context() as patch:
        patch.setattr(Record, "on_step_end", end_batch)
        patch.setattr(checkpoint, "write_checkpoint", write_late)
        failed = command("disk/run", *longer)
    # The next batch may meet the full disk before the thread that writes last.ckpt does.
    require_one_line(failed, "No space left on device. Free space there, or inodes (df -i)")
    require_whole(failed.folder)
    assert failed.checkpoint["global_step"] == 2
    (disk / "filler").unlink()
    assert_completes(command, failed, trained(*longer))


@pytest.mark.slow
def test_a_read_only_disk(command, undisturbed, disk):
    remount = ["mount", "-o", "remount,{}", str(disk)]
    subprocess.run([part.format("ro") for part in remount], check=True)
    failed = command("disk/run", *RUN)
    require_one_line(failed, "disk/run: Read-only file system. Make the file system writable, or choose another")
    subprocess.run([part.format("rw") for part in remount], check=True)
    assert_completes(command, failed, undisturbed)


@pytest.mark.parametrize("place", ["file/run", "file", "n" * 300])
def test_a_folder_that_cannot_be(command, tmp_path, place):
    (tmp_path / "file").write_text("the user's")
    failed = command(place, *RUN)
    require_one_line(failed, f"{tmp_path / place}")
    assert "Choose " in failed.output
    assert (tmp_path / "file").read_text() == "the user's"


@pytest.mark.slow
@pytest.mark.parametrize("file", ["config.yaml", "checkpoints/last.ckpt"])
def test_a_run_that_cannot_be_read_is_not_resumed(command, undisturbed, tmp_path, monkeypatch, file):
    run = undisturbed.copy(tmp_path / "run")
    with monkeypatch.context() as patch:
        for owner, name in ((io, "open"), (builtins, "open")):
            fail(patch, owner, name, errno.EIO, f"run/{file}")
        require_one_line(command("run", f"resume={run.folder}"), f"{file}")
    assert command("run", f"resume={run.folder}", "trainer.max_steps=6").code == 0


def assert_completes(command, failed: Outcome, undisturbed: Outcome) -> None:
    place, last = str(failed.folder), failed.folder / "checkpoints" / "last.ckpt"
    again = command(place, f"resume={place}") if last.exists() else command(place, *RUN)
    assert again.code == 0, again.output
    assert again.summary["status"] == "finished"
    assert again.summary["final"] == undisturbed.summary["final"]
    assert files_of(again.folder) == files_of(undisturbed.folder)
    assert training_differences(again, undisturbed) == []
