"""Output to a program that may stop reading, as in ``mass_nnunet check -d 801 2>&1 | head``."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TextIO

_CLOSED = (errno.EPIPE, errno.EINVAL)
"""Numbers of the error of a closed pipe: on Windows it is the second one."""


class Unread:
    """A stream that discards what nobody reads any more, so that a command finishes its work all the same.

    Args:
        stream: standard output or standard error.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """As in the stream; nothing is written into a closed pipe.

        A character that the encoding of the stream lacks, as on Windows, where output into a file is in an old code
        page, is written as ``\\uXXXX``.
        """
        try:
            return self._stream.write(text)
        except UnicodeEncodeError as error:
            return self._stream.write(text.encode(error.encoding, "backslashreplace").decode(error.encoding))
        except OSError as error:
            self._discard_if_closed(error)
            return len(text)

    def flush(self) -> None:
        """As in the stream."""
        try:
            self._stream.flush()
        except OSError as error:
            self._discard_if_closed(error)

    def _discard_if_closed(self, error: OSError) -> None:
        """Discard everything from now on, and what Python still holds in its buffer; another error is raised."""
        if error.errno not in _CLOSED:
            raise error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


@contextmanager
def surviving_closed_pipes() -> Iterator[None]:
    """Let standard output and standard error be closed by their readers within the block."""
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(Unread(sys.stdout)))
        stack.enter_context(redirect_stderr(Unread(sys.stderr)))
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
