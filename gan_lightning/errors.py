"""The errors that a user can correct."""

from __future__ import annotations

import errno


class UserError(ValueError):
    """A mistake in a configuration, a path or a file: shown without a stack trace, exit code 1.

    The message says what is wrong and where, the value that was found and the one that was expected, and which key
    to change.
    """


class NoSuchSplit(UserError):
    """The data has no test images."""


class ProcessError(RuntimeError):
    """Another process of the run has failed. It has shown its own message, unless a signal ended it."""


WAYS_OUT = {
    errno.ENOSPC: "Free space there, or inodes (df -i)",
    errno.EDQUOT: "Free space there, or ask for a larger quota",
    errno.EROFS: "Make the file system writable, or choose another folder",
    errno.EACCES: "Make it writable for this user, or choose another folder",
    errno.EPERM: "Make it writable for this user, or choose another folder",
    errno.EIO: "The disk, or the connection to it, has failed: see the system's log",
    errno.ESTALE: "The network file system has lost it: see whether it is still mounted",
    errno.ENAMETOOLONG: "Choose a folder with a shorter name",
    errno.ENOTDIR: "Choose another folder",
    errno.EEXIST: "Choose another folder",
    errno.EMFILE: "Allow more open files (ulimit -n), or choose fewer data.num_workers",
}
"""What a user does about an error of the system, by its number."""


def system_error(error: BaseException) -> OSError | None:
    """Returns the error of the system that an exception is, or that a library has wrapped in it; None if neither."""
    if isinstance(error, OSError):
        return error
    wrapped = isinstance(error.__cause__, OSError) and not isinstance(error, UserError)
    return error.__cause__ if wrapped else None  # type: ignore[return-value]


def file_error(error: OSError, place: object) -> str:
    """Returns an error of the file system in one line: the path, the cause, and what to do.

    Args:
        error: The error.
        place: The folder that was in use, for an error that does not name its path.
    """
    path = error.filename2 or error.filename or (place if error.errno else None)
    cause = error.strerror or str(error).partition("\n")[0] or type(error).__name__
    way_out = f". {WAYS_OUT[error.errno]}" if error.errno in WAYS_OUT else ""
    return f"{path}: {cause}{way_out}" if path else f"{cause}{way_out}"
