"""mass_nnunet.runtime.pipes: a command whose output nobody reads any more ends its work without a word."""

import errno
import io
import sys

import pytest

from closed_pipe import run_unread
from mass_nnunet.runtime.pipes import Unread, surviving_closed_pipes

PROGRAM = """
import sys
from mass_nnunet.runtime.pipes import surviving_closed_pipes
with surviving_closed_pipes():
    for _ in range(3):
        print("x" * 100_000)
        print("y", file=sys.stderr)
        sys.stderr.flush()
open(sys.argv[1], "w").close()
"""


@pytest.mark.parametrize("both", [False, True])
def test_what_comes_after_a_closed_pipe_is_done(tmp_path, both):
    status, errors = run_unread([sys.executable, "-c", PROGRAM, str(tmp_path / "done")], both, 60)
    assert status == 0
    assert (tmp_path / "done").exists()
    assert both or errors == b"y\n" * 3


def test_output_is_as_without(capsys):
    before = sys.stdout
    with surviving_closed_pipes():
        print("text")
        assert sys.stdout.encoding == before.encoding
    assert sys.stdout is before
    assert capsys.readouterr().out == "text\n"


def test_a_character_that_the_output_cannot_show_is_replaced(monkeypatch):
    """On Windows output into a file is in an old code page, which would end a command with a traceback."""
    file = io.TextIOWrapper(io.BytesIO(), encoding="cp1252", write_through=True)
    monkeypatch.setattr(sys, "stdout", file)
    with surviving_closed_pipes():
        print("0.9 \xb1 0.1, \u809d")
    assert file.buffer.getvalue().decode("cp1252").splitlines() == ["0.9 \xb1 0.1, \\u809d"]


@pytest.mark.parametrize("number", [errno.EPIPE, errno.EINVAL])
def test_a_closed_pipe_of_any_system(tmp_path, number):
    with (tmp_path / "out").open("w") as file:
        stream = Unread(Failing(file, number))
        assert stream.write("text") == 4
        stream.flush()


def test_another_error_of_the_output_is_raised(tmp_path):
    with (tmp_path / "out").open("w") as file:
        stream = Unread(Failing(file, errno.ENOSPC))
        with pytest.raises(OSError, match="no"):
            stream.write("text")
        with pytest.raises(OSError, match="no"):
            stream.flush()


class Failing:
    def __init__(self, file, number):
        self.file, self.number = file, number

    def write(self, _):
        raise OSError(self.number, "no")

    def flush(self):
        raise OSError(self.number, "no")

    def fileno(self):
        return self.file.fileno()
