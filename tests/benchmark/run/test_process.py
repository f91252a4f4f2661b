import os
import subprocess
import sys
from pathlib import Path

import pytest

from mass_nnunet.benchmark.run import process


def test_this_process_runs_here():
    me = process.identify(os.getpid())
    assert process.is_here(me)
    assert process.runs(me)


def test_ended_process_does_not_run_even_if_nobody_waited_for_it():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = process.identify(child.pid)
    assert process.runs(identity)
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not process.runs(identity)
    child.wait()
    assert not process.runs(identity)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only /proc tells when a process started")
def test_later_process_with_the_same_number_is_another():
    me = process.identify(os.getpid())
    assert not process.runs(me | {"born": "1"})


@pytest.mark.parametrize("change", [{"host": "elsewhere"}, {"view": "pid:[1]"}])
def test_other_machine_or_container_is_not_here(change):
    assert not process.is_here(process.identify(os.getpid()) | change)


def test_without_proc_running_is_all_that_is_known(monkeypatch):
    monkeypatch.setattr(process, "Path", lambda _: Path("/nowhere"))
    me = process.identify(os.getpid())
    assert process.runs(me)
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert not process.runs(me | {"pid": child.pid})
    assert process.runs(me | {"pid": 1})
