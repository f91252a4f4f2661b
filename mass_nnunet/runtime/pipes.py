"""Output to a program that may stop reading, as in ``mass_nnunet check -d 801 2>&1 | head``."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TextIO


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
        except BrokenPipeError:
            self._discard()
            return len(text)

    def flush(self) -> None:
        """As in the stream."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._discard()

    def _discard(self) -> None:
        """Discard everything from now on, and what Python still holds in its buffer."""
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
