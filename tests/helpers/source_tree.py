"""The source modules of the project: where they lie, what they are called, and what they import."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "mass_nnunet": "mass_nnunet",
    "dataset_conversion": "mass_nnunet.dataset_conversion",
    "planners": "mass_nnunet.planners",
    "trainers": "mass_nnunet.trainers",
}
"""Folder of a package: its name, as ``package_dir`` in setup.cfg maps them."""


def source_files() -> list[Path]:
    """Python files of all packages, relative to the root of the project."""
    return [path.relative_to(ROOT) for folder in PACKAGES for path in sorted((ROOT / folder).rglob("*.py"))]


def module_name(file: Path) -> str:
    """``trainers/base/stream.py``: mass_nnunet.trainers.base.stream; an ``__init__.py`` is its package."""
    folder, *inner = file.with_suffix("").parts
    return ".".join([PACKAGES[folder], *(part for part in inner if part != "__init__")])


def imports(file: Path, module: str = "") -> Iterator[str]:
    """Full names that a file imports anywhere in it; a name taken from a package is given with that package.

    Args:
        file: relative to the root of the project.
        module: the file's own name, which relative imports start from.
    """
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*start, *([node.module] if node.module else [])])
            yield from (f"{source}.{alias.name}" for alias in node.names)
