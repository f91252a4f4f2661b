"""The one exception whose message is written for the user."""

from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """Bad input: the message is one line that names the file (or folder, case, option) and the remedy.

    If several cases are bad, the message has one such line for each.

    The command line prints it without a traceback and exits with status 2.
    """


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """End nnU-Net's own commands, which would print a traceback, with the message and a non-zero exit status."""
    try:
        yield
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
