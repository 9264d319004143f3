"""Compare many runs: `gan-results FOLDER`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from gan_lightning.errors import UserError
from gan_lightning.sweeps.results import write_results
from gan_lightning.terminal import error_line


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; exits with code 1 and one message on a user's mistake."""
    parser = argparse.ArgumentParser(
        prog="gan-results",
        description="Compares the runs below a folder: a table sorted by the objective, results.csv and results.html.",
    )
    parser.add_argument("folder", help="a sweep's folder, or any folder of run folders")
    parser.add_argument("--objective", help="a logged metric, such as metric/fid (default: the runs' own objective)")
    options = parser.parse_args(arguments)
    try:
        write_results(Path(options.folder), options.objective)
    except (UserError, OSError) as error:
        sys.exit(error_line(error))


if __name__ == "__main__":
    main()
