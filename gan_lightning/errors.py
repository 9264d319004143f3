"""The errors that a user can correct."""


class UserError(ValueError):
    """A mistake in a configuration, a path or a file: shown without a stack trace, exit code 1.

    The message says what is wrong and where, the value that was found and the one that was expected, and which key
    to change.
    """


class NoSuchSplit(UserError):
    """The data has no test images."""
