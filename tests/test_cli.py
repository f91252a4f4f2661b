import argparse
import errno
import subprocess
import sys
import types

import pytest

from mass_nnunet import __version__, cli
from mass_nnunet.errors import UserError


def command(monkeypatch, error: BaseException | None = None) -> None:
    """Put a command ``env`` in the place of the real one, that raises ``error``."""

    def run(args: argparse.Namespace) -> None:
        if error:
            raise error

    module = types.SimpleNamespace(add_arguments=lambda parser: None, run=run)
    monkeypatch.setattr(cli.importlib, "import_module", lambda name: module)


def test_a_command_that_ends_well(monkeypatch):
    command(monkeypatch)
    assert cli.main(["env"]) == 0


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (UserError("scan.nii is broken: get another"), 2, "error: scan.nii is broken: get another"),
        (OSError(errno.ENOSPC, "No space left on device", "/out/a"), 2, "error: /out/a: No space left on device"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_a_command_that_fails_says_so_in_one_line(monkeypatch, capsys, error, status, text):
    command(monkeypatch, error)
    assert cli.main(["env"]) == status
    printed = capsys.readouterr().err
    assert text in printed
    assert printed.count("\n") == 1


def test_help_lists_every_command(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in cli.COMMANDS)


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_every_command_has_help(name, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([name, "--help"])
    assert ended.value.code == 0
    assert "usage: mass_nnunet " + name in capsys.readouterr().out


def test_help_waits_for_no_torch():
    """In an interpreter of its own, where nothing has imported it."""
    program = """
import contextlib, io, sys
import mass_nnunet
assert not {"numpy", "torch", "nnunetv2"} & sys.modules.keys(), "import mass_nnunet"
from mass_nnunet import cli
for name in cli.COMMANDS:
    with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.suppress(SystemExit):
        cli.main([name, "--help"])
    assert "usage: mass_nnunet " + name in printed.getvalue()
    assert "torch" not in sys.modules, f"mass_nnunet {name} --help"
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_version(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["mass_nnunet", "--version"])
    with pytest.raises(SystemExit):
        cli.main()
    assert capsys.readouterr().out.strip() == __version__
