"""The packages run on Windows and macOS as far as can be told on Linux: what is not there is not used."""

import ast
import sys
from pathlib import Path

import pytest

from source_tree import ROOT, imports, module_name, source_files

NOT_EVERYWHERE = {"resource", "fcntl", "pwd", "grp", "termios", "tty", "pty", "syslog", "readline", "crypt"}
"""Modules that Windows does not have."""
NAMES = {"fork", "killpg", "SIGKILL", "SIGALRM", "SIGHUP", "SIGUSR1", "mkfifo", "geteuid", "getuid", "setsid", "uname"}
"""What os and signal have on POSIX alone."""
GUARDED = {"mass_nnunet/benchmark/run/steps.py": {"resource"}}
"""Where they are used behind a look at ``sys.platform``."""


def used(file: Path) -> set[str]:
    """Modules, functions and signals of POSIX, and shells, that a source file uses."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        if node.value.id in ("os", "signal") and node.attr in NAMES
    }
    shells = {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "shell"}
    return found | shells


@pytest.mark.parametrize("file", source_files(), ids=str)
def test_nothing_is_used_that_one_system_alone_has(file):
    modules = {name.split(".")[0] for name in imports(ROOT / file, module_name(file))} & NOT_EVERYWHERE
    assert modules == GUARDED.get(file.as_posix(), set())
    assert used(ROOT / file) == set()


def test_what_windows_does_not_have_is_found(tmp_path):
    file = tmp_path / "x.py"
    file.write_text("import os, signal, subprocess\nos.fork()\nsubprocess.run('x', shell=True)\nsignal.SIGKILL\n")
    assert used(file) == {"os.fork", "signal.SIGKILL", "shell"}


def test_guarded_files_look_at_the_system():
    for name in GUARDED:
        assert "sys.platform" in (ROOT / name).read_text(encoding="utf-8")
    assert sys.platform in ("linux", "darwin", "win32")
