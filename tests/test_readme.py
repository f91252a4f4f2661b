"""The documents are true to the code: commands, links, names of files, and lists of what there is."""

import ast
import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from mass_nnunet import cli, trainers
from mass_nnunet.benchmark.run.grid import load_grid
from mass_nnunet.evaluation.scores import score_columns

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DOCUMENTS = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
MADE_BY_THE_SITE = {"docs/reference/commands.md", "docs/contributing.md", "docs/changelog.md"}
"""Pages without a file: docs/hooks/pages.py makes them."""


def commands(text: str) -> list[str]:
    """Commands of code blocks, indented or fenced, and those that a table of layouts begins its rows with."""
    found = re.findall(r"^ *mass_nnunet (.+)$", text, re.MULTILINE)
    return found + re.findall(r"^\| `((?:convert|relabel) .+?)` \|", text, re.MULTILINE)


def all_commands() -> list[tuple[str, str]]:
    """Each command with the document that it stands in."""
    return [
        (str(file.relative_to(ROOT)), words)
        for file in DOCUMENTS
        for words in commands(file.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize(("document", "command"), all_commands())
def test_a_command_of_the_documents_is_understood(document, command):
    words = shlex.split(command, comments=True)
    assert cli.parse(words).command == words[0]


def test_commands_are_found_in_every_kind_of_block():
    text = "    mass_nnunet split -d 1 2\n\n```\nmass_nnunet plan -d 1 2\n```\n\n| `convert btcv SRC -d 8` | a |\n"
    assert commands(text) == ["split -d 1 2", "plan -d 1 2", "convert btcv SRC -d 8"]


def test_the_documents_show_most_commands():
    shown = {command.split()[0] for _, command in all_commands()}
    assert shown >= {
        "benchmark",
        "check",
        "convert",
        "demo",
        "evaluate",
        "export",
        "plan",
        "relabel",
        "split",
        "visualize",
    }


def test_the_grid_of_the_documents_can_be_read(tmp_path):
    text = (ROOT / "docs" / "how_to" / "compare.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```yaml\n(.+?)^```", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "grid.yaml").write_text(block, encoding="utf-8")
    assert load_grid(tmp_path / "grid.yaml").datasets == (801, 802)


def test_the_readme_is_read_in_two_minutes_and_names_the_tests():
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
    assert any(line.startswith("    make test ") for line in lines)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    local = [(document.parent / target).resolve() for target in targets if "://" not in target]
    absent = [path.relative_to(ROOT).as_posix() for path in local if not path.exists()]
    assert set(absent) <= MADE_BY_THE_SITE


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_scripts_that_are_to_be_run_exist(document):
    scripts = re.findall(r"\bpython ((?:experiments|docs)/\S+\.py)", document.read_text(encoding="utf-8"))
    assert [script for script in scripts if not (ROOT / script).is_file()] == []


def test_documents_that_the_code_refers_to_exist():
    folders = ("mass_nnunet", "dataset_conversion", "planners", "trainers", "experiments", "tests")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py") if file != Path(__file__)]
    named = {name for file in files for name in re.findall(r"\bdocs/[\w/]+\.md", file.read_text(encoding="utf-8"))}
    assert {name for name in named if not (ROOT / name).is_file()} <= MADE_BY_THE_SITE


def test_every_trainer_is_described():
    text = (ROOT / "docs" / "reference" / "trainers.md").read_text(encoding="utf-8")
    assert [name for name in trainers.__all__ if f"`{name}`" not in text] == []


def test_every_column_of_the_scores_is_described():
    text = (ROOT / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    assert [column for column in score_columns()[2:] if f"`{column}`" not in text] == []  # after case and organ


def test_the_rooms_of_the_architecture_are_those_of_the_contract():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```\n(errors\n.+?)^```", text, re.MULTILINE | re.DOTALL)
    contract = ast.parse((ROOT / "tests" / "test_rooms.py").read_text(encoding="utf-8"))
    (rooms,) = (node.value for node in contract.body if isinstance(node, ast.Assign) and node.targets[0].id == "ROOMS")
    assert [tuple(line.split()) for line in block.splitlines()] == list(ast.literal_eval(rooms))


@pytest.fixture(scope="module")
def pages():
    """The hooks of the site, docs/hooks/pages.py."""
    pytest.importorskip("mkdocs")
    spec = importlib.util.spec_from_file_location("pages", ROOT / "docs" / "hooks" / "pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_commands_has_every_command_and_its_options(pages):
    text = pages.commands_page()
    assert [name for name in cli.COMMANDS if f"## {name}\n" not in text] == []
    for heading, option in (("### convert nifti", "--patient-pattern"), ("### benchmark run", "--executor")):
        section = text.partition(f"{heading}\n")[2].partition("\n#")[0]
        assert option in section


def test_links_of_pages_from_the_root_become_those_of_the_site(pages):
    text = pages.root_page("CONTRIBUTING.md")
    assert "](architecture.md)" in text
    assert "](changelog.md)" in text
    assert "](docs/" not in text
