"""Files that are written whole or not at all, and what killed processes leave of them."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading

import pytest

from gan_lightning import files
from gan_lightning.errors import UserError
from gan_lightning.files import PARTS, atomic, file_lock, link, read_json, remove_stale_parts
from gan_lightning.training.run_folder import RunFolder

WRITER = """
import sys, time
from pathlib import Path
from gan_lightning.files import atomic
with atomic(Path(sys.argv[1])) as partial:
    partial.write_text("half of it")
    print("writing", flush=True)
    time.sleep(100)
"""


@pytest.fixture
def other(tmp_path):
    """Another process that is writing the file x."""
    command = [sys.executable, "-c", WRITER, str(tmp_path / "x")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "writing\n"
        yield process
        process.kill()


def parts(folder) -> list[str]:
    return sorted(path.read_text() for path in folder.glob(PARTS))


def test_what_a_killed_process_leaves_is_removed_and_no_other_file(tmp_path, other):
    with atomic(tmp_path / "y") as partial:
        partial.write_text("of this process")
        remove_stale_parts(tmp_path.glob(PARTS))
        assert parts(tmp_path) == ["half of it", "of this process"]
        other.send_signal(signal.SIGSTOP)  # however long it does nothing
        remove_stale_parts(tmp_path.glob(PARTS))
        assert parts(tmp_path) == ["half of it", "of this process"]
        other.kill()
        other.wait()
        assert parts(tmp_path) == ["half of it", "of this process"]
        remove_stale_parts(tmp_path.glob(PARTS))
        assert parts(tmp_path) == ["of this process"]
    assert [path.name for path in tmp_path.iterdir()] == ["y"]
    assert (tmp_path / "y").read_text() == "of this process"


def stale(folder, name=".last.ckpt.1.part"):
    folder.mkdir(exist_ok=True, parents=True)
    (folder / name).write_text("half of it")


def test_a_run_removes_them_from_its_folder(tmp_path):
    for place in (tmp_path, tmp_path / "checkpoints", tmp_path / "samples"):
        stale(place)
    with RunFolder(tmp_path).locked():
        assert not list(tmp_path.rglob(PARTS))


def test_whoever_makes_a_file_of_the_cache_removes_them(tmp_path):
    stale(tmp_path)
    with file_lock(tmp_path / "features"):
        assert parts(tmp_path) == []


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with atomic(tmp_path / "x") as partial:
        partial.write_text("all of it")
        remove_stale_parts(tmp_path.glob(PARTS))
    assert (tmp_path / "x").read_text() == "all of it"
    stale(tmp_path)
    remove_stale_parts(tmp_path.glob(PARTS))
    assert parts(tmp_path) == ["half of it"]


def test_a_new_file_is_not_taken_for_a_stale_one(tmp_path, monkeypatch):
    """The other process removes it between its creation and its lock."""
    lock, removed = files._lock, []

    def late(file, wait):
        if wait and not removed:
            removed.append(os.unlink(file.name))
        return lock(file, wait)

    monkeypatch.setattr(files, "_lock", late)
    with atomic(tmp_path / "x") as partial:
        partial.write_text("all of it")
        remove_stale_parts(tmp_path.glob(PARTS))  # the second file is locked, too
    assert removed
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_two_threads_write_one_file(tmp_path):
    def write(number):
        for _ in range(50):
            with atomic(tmp_path / "x") as partial:
                partial.write_text(str(number) * 1000)
                remove_stale_parts(tmp_path.glob(PARTS))

    threads = [threading.Thread(target=write, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set((tmp_path / "x").read_text())) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.fixture
def two_files(tmp_path):
    (tmp_path / "new").write_text("new")
    (tmp_path / "last").write_text("old")
    return tmp_path / "new", tmp_path / "last"


def test_a_second_name_of_a_file_takes_no_space(two_files):
    new, last = two_files
    link(new, last)
    link(new, last)  # the system renames nothing if both are names of one file
    assert last.samefile(new)
    assert sorted(path.name for path in new.parent.iterdir()) == ["last", "new"]
    with atomic(last) as partial:
        partial.write_text("newer")
    assert (new.read_text(), last.read_text()) == ("new", "newer")


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.EXDEV, errno.EMLINK])
def test_a_file_system_without_links_gets_a_copy(two_files, monkeypatch, number):
    def no_links(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", no_links)
    new, last = two_files
    link(new, last)
    assert not last.samefile(new)
    assert last.read_text() == "new"
    assert sorted(path.name for path in new.parent.iterdir()) == ["last", "new"]


def test_a_name_that_cannot_be_given_leaves_the_old_file(two_files, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(os, "replace", full)
    new, last = two_files
    with pytest.raises(OSError, match=rf"No space left on device: .{last}"):
        link(new, last)
    assert last.read_text() == "old"
    assert sorted(path.name for path in new.parent.iterdir()) == ["last", "new"]


def test_a_name_that_is_being_given_is_no_stale_file(two_files, monkeypatch):
    rename, seen = os.replace, []

    def renaming(source, target):
        remove_stale_parts(new.parent.glob(PARTS))
        seen.append(source.exists())
        rename(source, target)

    monkeypatch.setattr(os, "replace", renaming)
    new, last = two_files
    link(new, last)
    assert seen == [True]
    assert last.read_text() == "new"


@pytest.mark.parametrize("content", [b"[" * 10**6, b'{"step": 4', b'"\xff"', b"[4]"])
def test_json_that_is_damaged(tmp_path, content):
    file = tmp_path / "summary.json"
    assert read_json(file) == {}
    file.write_bytes(content)
    with pytest.raises(UserError, match=rf"{file} is damaged: "):
        read_json(file)
