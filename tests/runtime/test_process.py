import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from mass_nnunet.data import machine
from mass_nnunet.runtime import process


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


def test_later_process_with_the_same_number_is_another():
    me = process.identify(os.getpid())
    assert not process.runs(me | {"born": "1"})
    assert process.is_certain(me)


@pytest.mark.parametrize("change", [{"host": "elsewhere"}, {"view": "pid:[1]"}])
def test_other_machine_or_container_is_not_here(change):
    assert not process.is_here(process.identify(os.getpid()) | change)


def test_birth_does_not_change_when_the_clock_is_set(monkeypatch):
    me = process.identify(os.getpid())
    boot, create = psutil.boot_time, psutil.Process.create_time
    monkeypatch.setattr(psutil, "boot_time", lambda: boot() + 3600)
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: create(self) + 3600)
    assert process.identify(os.getpid()) == me
    assert process.runs(me)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="older versions read the birth from /proc")
def test_birth_is_what_older_versions_read_from_proc():
    words = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    assert process.identify(os.getpid())["born"] == words[19]


def test_birth_that_an_older_version_did_not_know_lasts_as_long_as_the_number():
    me = process.identify(os.getpid()) | {"born": "running"}
    assert process.runs(me)
    assert not process.is_certain(me)
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert not process.runs(me | {"pid": child.pid})


def test_process_that_must_not_be_asked_runs(monkeypatch):
    me = process.identify(os.getpid())

    def refuse(self):
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil.Process, "create_time", refuse)
    assert process.runs(me)
    assert not process.is_certain(process.identify(os.getpid()))


def test_where_there_are_no_namespaces_the_host_tells(monkeypatch):
    monkeypatch.setattr(machine, "Path", lambda _: Path("/nowhere"))
    me = process.identify(os.getpid())
    assert me["view"] == ""
    assert process.is_here(me)
