"""The one error that a user can cause and mend."""


class UserError(ValueError):
    """A mistake in a configuration, a path or a file: shown without a stack trace, exit code 1.

    The message says what is wrong, where, what was got and expected, and which key to change.
    """


class NoSuchSplit(UserError):
    """The data has no images to test."""
