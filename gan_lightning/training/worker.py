"""A further process of a run: the first process starts it by `python -m gan_lightning.training.worker FILE`.

The file has the configuration, the run folder and the checkpoint to resume from. So it does not matter how the first
process was started: by the command line, in a sweep, in a script or in a notebook.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gan_lightning.config.instantiate import Config
from gan_lightning.distributed.launcher import SIGKILL
from gan_lightning.errors import ProcessError, UserError, file_error
from gan_lightning.terminal import error_line
from gan_lightning.training.process import end_with, set_up_process
from gan_lightning.training.resume import ResumePoint
from gan_lightning.training.run_folder import RunFolder


@contextlib.contextmanager
def worker_command(config: Config, folder: RunFolder, start: ResumePoint | None) -> Iterator[list[str]]:
    """Yields the command that starts another process of the run; its file is deleted when the context ends."""
    task = {
        "config": config,
        "folder": str(folder.path),
        "start": start and start.as_list(),
        "parent": os.getpid(),
    }
    with tempfile.TemporaryDirectory(prefix="gan_lightning_") as place:
        file = Path(place, "run.json")
        file.write_text(json.dumps(task))
        # Without -P, a random.py in the current folder would hide Python's own. PYTHONPATH has the user's modules.
        safe = ["-P"] if sys.version_info >= (3, 11) else []
        yield [sys.executable, *safe, "-m", "gan_lightning.training.worker", str(file)]


def main(file: str) -> None:
    """Trains as one of several processes; exits with code 1 and one message where the first process does, too."""
    from gan_lightning.training.experiment import Experiment

    task = json.loads(Path(file).read_text())
    end_with(task["parent"], SIGKILL)  # else it would wait for the first process, in a collective even forever
    set_up_process()
    logging.basicConfig(
        level=logging.INFO, stream=sys.stdout, format="[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"
    )
    try:
        Experiment(task["config"], task["folder"]).train(ResumePoint.of(task["start"]))
    except (UserError, FloatingPointError, ProcessError) as error:
        sys.exit(error_line(error))
    except OSError as error:
        sys.exit(error_line(file_error(error, task["folder"])))


if __name__ == "__main__":
    main(sys.argv[1])
