"""Compare many runs: `gan-results FOLDER`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from gan_lightning.cli.errors import one_line_errors
from gan_lightning.sweeps.reproduction import write_all
from gan_lightning.sweeps.results import write_results


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; exits with code 1 and one message on a user's mistake."""
    parser = argparse.ArgumentParser(
        prog="gan-results",
        description="Compares the runs below a folder: a table sorted by the objective, results.csv and results.html.",
    )
    parser.add_argument("folder", nargs="?", help="a sweep's folder, or any folder of run folders")
    parser.add_argument("--objective", help="a logged metric, such as metric/fid (default: the runs' own objective)")
    parser.add_argument(
        "--reproduce",
        action="store_true",
        help="the published figures of conf/reproduce/ beside those of the runs below the folder (logs/reproduce)",
    )
    options = parser.parse_args(arguments)
    if options.folder is None and not options.reproduce:
        parser.error("expected a folder, or --reproduce")
    with one_line_errors():
        if options.reproduce:
            write_all(Path(options.folder or "logs/reproduce"))
        else:
            write_results(Path(options.folder), options.objective)


if __name__ == "__main__":
    main()
