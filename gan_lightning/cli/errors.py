"""How a command line ends early: with one line instead of a stack trace."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator

from gan_lightning.errors import UserError, file_error
from gan_lightning.terminal import error_line


@contextlib.contextmanager
def one_line_errors(out: object = None) -> Iterator[None]:
    """Ends the program with one line: exit code 1 after a user's mistake, 130 after Ctrl-C.

    Args:
        out: What is written, for an error of the file system that does not name its path.
    """
    try:
        yield
    except (UserError, FloatingPointError) as error:
        sys.exit(error_line(error))
    except OSError as error:
        sys.exit(error_line(file_error(error, out)))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
