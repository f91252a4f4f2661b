"""The source modules of the project: where they lie, what they are called, and what they import."""

import ast
import re
from collections.abc import Iterator
from functools import cache
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
    """``trainers/base/group.py``: mass_nnunet.trainers.base.group; an ``__init__.py`` is its package."""
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


@cache
def _modules() -> dict[str, Path]:
    """The file of each source module, by its name."""
    return {module_name(file): ROOT / file for file in source_files()}


def stale_names(text: str) -> set[str]:
    """Dotted names in a text that begin with a package of ours and lead to no module, and to nothing in one."""
    modules = _modules()
    folders = {name.rpartition(".")[0] for name in modules}
    stale = set()
    for name in set(re.findall(r"(?<![\w./-])mass_nnunet(?!\.py\b)(?:\.\w+)+", text)):
        parts = name.split(".")
        known = next(k for k in range(len(parts), 0, -1) if ".".join(parts[:k]) in modules.keys() | folders)
        inside = modules.get(".".join(parts[:known]))
        words = re.findall(r"\w+", inside.read_text(encoding="utf-8")) if inside else []
        if known < len(parts) and parts[known] not in words:
            stale.add(name)
    return stale
