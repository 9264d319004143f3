"""Another process of a run: `python -m gan_lightning.training.worker FILE`, as the first process starts it.

The file says what to train and where it goes on, so that it does not matter how the first process came to it: by the
command line, in a sweep, in a script or in a notebook.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gan_lightning.config.targets import Config
from gan_lightning.errors import UserError
from gan_lightning.training.process import set_up_process
from gan_lightning.training.resume import ResumePoint
from gan_lightning.training.run_folder import RunFolder


@contextlib.contextmanager
def worker_command(config: Config, folder: RunFolder, start: ResumePoint | None) -> Iterator[list[str]]:
    """The command of every other process of a run; good until the context ends."""
    task = {"config": config, "folder": str(folder.path), "start": start and [str(start.checkpoint), start.step]}
    with tempfile.TemporaryDirectory(prefix="gan_lightning_") as place:
        file = Path(place, "run.json")
        file.write_text(json.dumps(task))
        yield [sys.executable, "-m", "gan_lightning.training.worker", str(file)]


def main(file: str) -> None:
    """Trains as one of several processes; exits with code 1 and one message where the first process would."""
    from gan_lightning.training.experiment import Experiment

    task = json.loads(Path(file).read_text())
    set_up_process()
    logging.basicConfig(
        level=logging.INFO, stream=sys.stdout, format="[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"
    )
    start = task["start"] and ResumePoint(Path(task["start"][0]), task["start"][1])
    try:
        Experiment(task["config"], task["folder"]).train(start)
    except (UserError, FloatingPointError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main(sys.argv[1])
