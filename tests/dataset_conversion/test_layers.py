"""Imports inside dataset_conversion go one way, from the command down to the sources."""

import ast
from pathlib import Path

import pytest

import mass_nnunet.dataset_conversion as room

ROOT = Path(room.__file__).parent
# From low to high: a module imports those of lower layers, and of its own.
LAYERS = (
    ("source", "options"),
    ("readers",),
    ("checks",),
    ("converter", "archive", "parts", "staging"),
    ("raw_dataset",),
    ("joining", "relabel"),
    ("datasets",),
    ("command",),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
FILES = sorted(path for path in ROOT.rglob("*.py") if path.name != "__init__.py")


def layer(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Modules and folders of the room that a file imports."""
    deep = len(path.relative_to(ROOT).parts)
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == deep:
            found |= {node.module.split(".")[0]} if node.module else {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            assert not node.module.startswith(room.__name__), f"{path}: import relatively, as type checkers need it"
    return found


def test_every_module_has_a_layer():
    assert {layer(path) for path in FILES} == set(LEVEL)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_lower_layers_only(path):
    own = layer(path)
    for name in imported(path) - {own}:
        assert LEVEL[name] <= LEVEL[own], f"{own} imports {name}"
    if own in ("datasets", "readers"):
        assert imported(path) <= {"source", "options", "readers"}


def test_the_command_imports_all_datasets():
    assert {"converter", "archive", "datasets"} <= imported(ROOT / "command.py")
