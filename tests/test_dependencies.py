"""Every package that is imported is declared in setup.cfg, and every declared one is imported."""

import configparser
import re
import sys
from collections.abc import Iterable
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from source_tree import PACKAGES, ROOT, imports, module_name, source_files

OPTIONAL = {"highdicom", "submitit"}
"""Imported by the package only where a user asks for it, and declared as an extra of its own."""

PLUGINS = {"pylibjpeg", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg"}
"""Found and imported by pydicom, which decodes compressed files of several frames with them."""

TOOLS = {"mypy", "pre-commit", "pytest-cov", "pytest-xdist", "ruff", "types-psutil", "types-pyyaml", "types-tqdm"}
"""Called by make, not imported."""


def normal(name: str) -> str:
    """Name of a distribution as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(section: str, option: str) -> set[str]:
    """Distributions that an option of setup.cfg lists."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return {normal(re.split(r"[<>=\[;~! ]", line)[0]) for line in parser[section][option].strip().splitlines()}


REQUIRED = declared("options", "install_requires")
EXTRAS = {name: declared("options.extras_require", name) for name in ("dev", "dicom", "docs", "slurm")}
TESTS, EXPERIMENTS, DOCS = (
    [file.relative_to(ROOT) for file in (ROOT / folder).rglob("*.py")] for folder in ("tests", "experiments", "docs")
)
OURS = {"mass_nnunet"} | {file.stem for file in (*TESTS, *EXPERIMENTS, *DOCS)}


@cache
def distributions() -> dict[str, set[str]]:
    """Top-level module: the installed distributions that have it."""
    return {module: {normal(name) for name in names} for module, names in packages_distributions().items()}


def foreign(files: Iterable[Path]) -> set[str]:
    """Top-level modules that files import, neither ours nor the standard library's."""
    modules = {file: module_name(file) if file.parts[0] in PACKAGES else "" for file in files}
    names = {name.split(".")[0] for file, module in modules.items() for name in imports(file, module)}
    return names - OURS - sys.stdlib_module_names


def undeclared(files: Iterable[Path], allowed: set[str]) -> set[str]:
    """Modules that files import and none of the allowed distributions has."""
    return {name for name in foreign(files) if not distributions().get(name, {normal(name)}) & allowed}


def test_the_package_imports_what_it_requires():
    assert undeclared(source_files(), REQUIRED | OPTIONAL) == set()


def test_tests_and_experiments_import_what_dev_has():
    assert undeclared([*TESTS, *EXPERIMENTS], REQUIRED | EXTRAS["dev"]) == set()


def test_the_documentation_imports_what_docs_has():
    pytest.importorskip("mkdocs", reason="which distribution has a module is known where it is installed")
    assert undeclared(DOCS, REQUIRED | EXTRAS["docs"]) == set()


def test_what_is_required_is_imported():
    imported = set().union(*(distributions().get(name, {normal(name)}) for name in foreign(source_files())))
    assert REQUIRED - imported == set()


def test_what_dev_has_is_imported_or_a_tool():
    imported = set().union(*(distributions().get(name, {normal(name)}) for name in foreign([*TESTS, *EXPERIMENTS])))
    assert EXTRAS["dev"] - imported - OPTIONAL == TOOLS


def test_what_dicom_has_is_imported_or_a_plugin():
    assert EXTRAS["dicom"] - OPTIONAL == PLUGINS


def test_an_optional_package_has_an_extra():
    assert set().union(*EXTRAS.values()) >= OPTIONAL
    assert not OPTIONAL & REQUIRED


@pytest.mark.parametrize(
    ("statement", "missing"),
    [
        ("import os, numpy", set()),
        ("from yaml import load", set()),
        ("import skimage.io", set()),
        ("import absent", {"absent"}),
    ],
)
def test_an_undeclared_import_is_found(statement, missing, tmp_path):
    file = tmp_path / "module.py"
    file.write_text(statement)
    assert undeclared([file], REQUIRED) == missing
