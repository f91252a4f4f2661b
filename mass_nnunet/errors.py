"""The one exception whose message is written for the user."""

import errno
import reprlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Numbers of the errors of a disk without room."""


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


def disk_line(error: OSError) -> str:
    """An error of the disk as one line, with the file and the remedy."""
    remedy = "make room on the disk" if error.errno in FULL else "check the disk and its permissions"
    file = "" if error.filename is None else f"{error.filename}: "
    return f"{file}{error.strerror or error}: {remedy}"


def shortened(value: Any) -> str:
    """A value for a message, by its first 80 characters; a value of any size takes bounded time and memory."""
    text = _SHORT.repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


_LONGEST = 80
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxlong, _SHORT.maxother = 4, 200, 200, 200
_SHORT.maxdict = _SHORT.maxlist = _SHORT.maxtuple = 10
