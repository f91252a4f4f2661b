import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mass_nnunet import cli
from mass_nnunet.runtime import env


def test_exports_the_hook_and_only_the_folders_that_are_unset(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("nnUNet_raw", "/somewhere")
    monkeypatch.delenv("nnUNet_preprocessed", raising=False)
    monkeypatch.delenv("nnUNet_results", raising=False)
    assert cli.main(["env", "--root", str(tmp_path / "with space"), "--shell", "bash"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"export nnUNet_extTrainer={env.HOOK_FOLDER}"
    assert f"export nnUNet_results='{tmp_path}/with space/nnUNet_results'" in lines
    assert not any("nnUNet_raw" in line for line in lines)


def test_the_hook_folder_holds_one_module_and_no_package():
    files = {path.name for path in Path(env.HOOK_FOLDER).iterdir()} - {"__pycache__"}
    assert files == {"mass_trainers.py"}


def test_variables_are_set_inside_the_block_only(monkeypatch):
    monkeypatch.setenv("KNOWN", "before")
    monkeypatch.delenv("UNKNOWN", raising=False)
    with pytest.raises(KeyError), env.temporary_environment({"KNOWN": "inside", "UNKNOWN": "new"}):
        assert (os.environ["KNOWN"], os.environ["UNKNOWN"]) == ("inside", "new")
        raise KeyError
    assert os.environ["KNOWN"] == "before"
    assert "UNKNOWN" not in os.environ


def test_the_folder_of_this_package_is_added_to_the_users_own(monkeypatch):
    monkeypatch.delenv("nnUNet_extTrainer", raising=False)
    assert env.trainer_folders() == str(env.HOOK_FOLDER)
    monkeypatch.setenv("nnUNet_extTrainer", f"/theirs{os.pathsep}{env.HOOK_FOLDER}")
    assert env.trainer_folders() == f"/theirs{os.pathsep}{env.HOOK_FOLDER}"
    monkeypatch.setenv("nnUNet_extTrainer", "/theirs")
    assert env.trainer_folders() == f"/theirs{os.pathsep}{env.HOOK_FOLDER}"


@pytest.mark.parametrize("value", ["/a b", "it's", 'C:\\x "y"', "a\\'b", "$HOME `x` $(y)", "ü"])
@pytest.mark.parametrize(
    ("shell", "command", "show"),
    [
        ("bash", ["bash", "-c"], 'printf %s "$X"'),
        ("fish", ["fish", "-c"], "printf %s $X"),
        ("powershell", ["pwsh", "-NoProfile", "-Command"], "[Console]::Out.Write($env:X)"),
    ],
)
def test_a_shell_reads_back_what_was_set(shell, command, show, value):
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not here")
    (line,) = env.export_lines({"X": value}, shell)
    done = subprocess.run([*command, f"{line}\n{show}"], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout == value


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("bash", "export X='a'\"'\"'b\\c'"),
        ("fish", "set -gx X 'a\\'b\\\\c'"),
        ("powershell", "$env:X = 'a''b\\c'"),
    ],
)
def test_lines_of_each_shell(shell, line):
    assert env.export_lines({"X": "a'b\\c"}, shell) == [line]


def test_powershell_gets_ascii_whatever_the_code_page_of_the_console():
    (line,) = env.export_lines({"X": "C:\\Zoë\\\U0001f600"}, "powershell")
    parts = ["'C:\\Zo'", "[char]::ConvertFromUtf32(235)", "'\\'", "[char]::ConvertFromUtf32(128512)", "''"]
    assert line == f"$env:X = {' + '.join(parts)}"


@pytest.mark.parametrize(
    ("platform", "variables", "start"),
    [
        ("win32", {}, "$env:"),
        ("win32", {"MSYSTEM": "MINGW64"}, "export "),
        ("win32", {"SHELL": "/usr/bin/bash"}, "export "),
        ("linux", {}, "export "),
    ],
)
def test_the_shell_of_the_system_is_the_default(monkeypatch, capsys, platform, variables, start):
    monkeypatch.setattr(sys, "platform", platform)
    for name in ("MSYSTEM", "SHELL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cli.main(["env"]) == 0
    assert capsys.readouterr().out.startswith(start)
