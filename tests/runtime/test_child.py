import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mass_nnunet.runtime import child

PYTHON = sys.executable


def test_command_that_does_not_listen_is_killed():
    code = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print('x', flush=True); time.sleep(60)"
    process = subprocess.Popen([PYTHON, "-c", code], stdout=subprocess.PIPE)
    process.stdout.readline()
    child.stop(process, 0.2)
    assert process.returncode == -signal.SIGKILL
    process.stdout.close()


def test_output_of_both_streams_is_logged(tmp_path):
    log = tmp_path / "log"
    code = "import os, sys; print(os.environ['X'], flush=True); sys.stderr.write('bar 1\\rbar 2'); sys.exit(3)"
    with log.open("wb") as output:
        status = child.start([PYTHON, "-c", code], output, os.environ | {"X": "value"}).wait()
    assert child.last_lines(log) == ["value", "bar 1", "bar 2"]
    assert child.how_it_ended(status) == "failed with exit status 3"
    assert child.how_it_ended(-9) == "was killed by signal 9"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no sessions")
@pytest.mark.parametrize("apart", [False, True])
def test_ctrl_c_of_the_terminal_reaches_a_command_unless_it_is_apart(tmp_path, apart):
    with (tmp_path / "log").open("wb") as output:
        process = child.start([PYTHON, "-S", "-c", "input()"], output, os.environ, apart=apart)
    # A terminal sends it to all processes of the group in its foreground.
    assert (os.getpgid(process.pid) != os.getpgid(0)) == apart
    child.stop(process)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent was killed")
def test_child_ends_with_a_killed_parent_that_a_shell_put_into_its_background(tmp_path):
    code = f"""
import os, signal, sys, time
from mass_nnunet.runtime import child
signal.signal(signal.SIGINT, signal.SIG_IGN)
code = '''
import os, time
try:
    open({str(tmp_path / "pid")!r}, "w").write(str(os.getpid()))
    time.sleep(60)
except KeyboardInterrupt:
    open({str(tmp_path / "interrupted")!r}, "w").close()
'''
with open({str(tmp_path / "log")!r}, "wb") as output:
    child.start([sys.executable, "-c", code], output, os.environ)
time.sleep(60)
"""
    parent = subprocess.Popen([PYTHON, "-c", code])
    wait_for(tmp_path / "pid")
    parent.kill()
    parent.wait()
    wait_for(tmp_path / "interrupted")


def wait_for(file: Path) -> None:
    end = time.monotonic() + 60
    while not file.exists():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_where_a_process_cannot_be_interrupted_it_is_ended(monkeypatch):
    """Windows refuses to send SIGINT to a process."""
    process = subprocess.Popen([PYTHON, "-S", "-c", "import time; time.sleep(60)"])
    monkeypatch.setattr(child.sys, "platform", "win32")
    child.stop(process)
    assert process.returncode not in (None, 0)
