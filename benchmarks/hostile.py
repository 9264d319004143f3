"""Hostile configurations, run folders and checkpoints: what each tries, and whether it is held.

An attack is held if no code of it ran, nothing outside of the run folder changed, no secret of the environment reached
a file, nothing was downloaded, it took less than 30 s and 1 GB, and the user saw a result or one line.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import os
import resource
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hostile_files import FILES, TINY
from hostile_folders import CHECKPOINTS, FOLDERS

os.environ["HOSTILE_SECRET"] = "secret-5d0c1f"
SECRET = os.environ["HOSTILE_SECRET"]
LIMIT = 30
"""Seconds for one attack."""
MEMORY = 1_000_000
"""kB by which the largest memory of the process may grow."""
EVIL = """
import pathlib

def run(*arguments, **more):
    pathlib.Path({canary!r}).write_text("code ran")
    return None

class Evil:
    def __init__(self, *arguments, **more):
        run()

run_on_import = run()
"""


class Place:
    """A workplace: `here`, the current folder; `outside`, where nothing may change; a run; and a module `evil`."""

    def __init__(self, root: Path) -> None:
        import gan_lightning

        self.root, self.here, self.outside, self.canary = root, root / "here", root / "outside", root / "canary"
        for folder in (self.here, self.outside, root / "modules"):
            folder.mkdir()
        (root / "modules" / "evil.py").write_text(EVIL.format(canary=str(self.canary)))
        (self.outside / "private.txt").write_text("private")
        sys.path.insert(0, str(root / "modules"))
        os.chdir(self.here)
        with redirected():
            gan_lightning.train([*TINY, f"hydra.run.dir={root}/trained"])

    def run(self) -> Path:
        """A copy of the run, as if it came from elsewhere."""
        folder = self.here / "stranger"
        shutil.rmtree(folder, ignore_errors=True)
        return Path(shutil.copytree(self.root / "trained", folder))

    def clean(self) -> None:
        self.canary.unlink(missing_ok=True)
        for folder in (self.here, self.outside):
            shutil.rmtree(folder)
            folder.mkdir()
        (self.outside / "private.txt").write_text("private")
        os.chdir(self.here)
        sys.modules.pop("evil", None)

    def state(self) -> dict[str, str]:
        """Everything outside of the run folders and the files of the attack, by path."""
        found = {}
        for path in sorted([*self.root.glob("*"), *self.outside.rglob("*"), *self.here.glob("*")]):
            if path.name not in ("logs", "stranger", "conf", "new"):
                is_file = path.is_file() and not path.is_symlink()
                found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest() if is_file else "folder"
        return found

    def leaks(self) -> list[str]:
        """The files that hold the secret."""
        return [
            str(path.relative_to(self.root))
            for path in self.root.rglob("*")
            if SECRET in path.name or (path.is_file() and SECRET.encode() in path.read_bytes())
        ]


@contextlib.contextmanager
def redirected() -> Iterator[io.StringIO]:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        yield printed


def faults(place: Place, attack: Callable[[Place], Any]) -> tuple[list[str], str]:
    """What an attack has reached, and what the user saw of it."""
    from gan_lightning import UserError

    place.clean()
    before, memory, started = place.state(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    found, seen, printed = [], "went on", io.StringIO()
    connect, connected = socket.socket.connect, []
    socket.socket.connect = lambda self, address: connected.append(address) or (_ for _ in ()).throw(OSError("no"))  # type: ignore
    resolve = socket.getaddrinfo
    socket.getaddrinfo = lambda *arguments, **more: connected.append(arguments) or (_ for _ in ()).throw(OSError("no"))  # type: ignore
    signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(TimeoutError()))
    signal.alarm(LIMIT)
    try:
        with redirected() as printed:
            attack(place)
    except (UserError, FloatingPointError) as error:
        seen = f"refused: {error}"
    except SystemExit as leaving:
        seen = f"refused: {leaving.code}: {printed.getvalue()}"
        if "Traceback" in printed.getvalue():
            found.append("trace")
    except TimeoutError:
        found.append("time")
    except BaseException as error:
        found.append(f"trace: {type(error).__name__}: {error}")
    finally:
        signal.alarm(0)
        socket.socket.connect, socket.getaddrinfo = connect, resolve  # type: ignore[method-assign]
    after = place.state()
    if place.canary.exists():
        found.append("CODE RAN")
    changed = [Path(path).name for path in after.keys() | before.keys() if after.get(path) != before.get(path)]
    if [name for name in changed if name != "canary"]:
        found.append(f"wrote {', '.join(changed)}")
    if place.leaks():
        found.append(f"secret in {', '.join(place.leaks()[:3])}")
    if connected:
        found.append(f"connected {connected[0]}")
    if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory > MEMORY:
        found.append("memory")
    if time.monotonic() - started > LIMIT:
        found.append("time")
    return found, seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="the beginning of the kinds or a title (default: all)")
    parser.add_argument("--verbose", action="store_true", help="print what the user saw of each attack")
    options = parser.parse_args()
    table: dict[str, list[bool]] = {}
    with tempfile.TemporaryDirectory() as root:
        os.environ["GAN_LIGHTNING_CACHE"] = f"{root}.cache"
        os.environ.pop("GAN_LIGHTNING_TRUST", None)
        os.environ.pop("GAN_LIGHTNING_DATA", None)
        place = Place(Path(root).resolve())
        for kind, title, attack in [*FILES, *FOLDERS, *CHECKPOINTS]:
            if not (kind.startswith(options.only) or title == options.only):
                continue
            found, seen = faults(place, attack)
            table.setdefault(kind, []).append(not found)
            if found or options.verbose:
                print(f"{kind}, {title}: {'; '.join(found) or 'held'}\n    {' '.join(seen.split())[:300]}", flush=True)
    print("kind                  tried   held")
    for kind, held in table.items():
        print(f"{kind:22}{len(held):5}{sum(held):7}")
    print(f"{'all':22}{sum(map(len, table.values())):5}{sum(map(sum, table.values())):7}")


if __name__ == "__main__":
    main()
