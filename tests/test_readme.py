"""What the documents tell users to type is what the commands take."""

import re
import shlex
from pathlib import Path

import pytest

from mass_nnunet import cli
from mass_nnunet.benchmark.run.grid import load_grid

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands() -> list[str]:
    """Commands of code blocks, and those that the README's table of layouts begins its rows with."""
    text = "\n".join(file.read_text() for file in DOCUMENTS)
    found = re.findall(r"^    mass_nnunet (.+)$", text, re.MULTILINE)
    return found + re.findall(r"^\| `((?:convert|relabel) .+?)` \|", text, re.MULTILINE)


@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_documents_is_understood(command):
    words = shlex.split(command, comments=True)
    assert cli.parse(words).command == words[0]


def test_commands_are_found():
    assert {command.split()[0] for command in commands()} >= {"convert", "relabel", "plan", "export", "benchmark"}


def test_the_grid_of_the_readme_can_be_read(tmp_path):
    (block,) = re.findall(r"^    datasets: .+\n(?:    .+\n)+", (ROOT / "README.md").read_text(), re.MULTILINE)
    (tmp_path / "grid.yaml").write_text(block)
    assert load_grid(tmp_path / "grid.yaml").datasets == (801, 802)
