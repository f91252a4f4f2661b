"""The one exception that a user is meant to read."""

from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """Bad input: the message is one line that names the file (or folder, case, option) and the remedy.

    Where several cases are bad, it is one such line each.

    The command line prints it without a traceback and exits with status 2.
    """


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """Inside nnU-Net's own commands, which would print a traceback: end with the one line and a non-zero status."""
    try:
        yield
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
