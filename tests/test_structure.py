"""Tests mirror the source tree, and setup.cfg knows every package and data file of it."""

import configparser
from pathlib import Path

import pytest

from source_tree import PACKAGES, ROOT, module_name, source_files, stale_names

APART = ("integration", "damaged_inputs", "experiments")
"""Folders of tests that mirror no room."""

WHOLE = (
    "test_dependencies.py",
    "test_images.py",
    "test_readme.py",
    "test_rooms.py",
    "test_structure.py",
    "test_systems.py",
)
"""Tests of the project as a whole."""

MODULES = [file for file in source_files() if file.name != "__init__.py"]


def namesake(file: Path) -> Path:
    """The test of a source module, below tests/: only mass_nnunet's own folder is left out of the path."""
    inner = file.relative_to("mass_nnunet") if file.parts[0] == "mass_nnunet" else file
    return inner.with_name(f"test_{file.name}")


def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


@pytest.mark.parametrize("file", MODULES, ids=str)
def test_a_module_has_a_namesake_test(file):
    assert (ROOT / "tests" / namesake(file)).is_file()


def test_no_text_names_a_module_that_is_gone():
    """A program in a string, ``python -m``, a page of the documentation: no import fails there when a module moves."""
    folders = [ROOT / name for name in (*PACKAGES, "tests", "experiments", "docs")]
    texts = [path for folder in folders for ending in ("py", "md") for path in folder.rglob(f"*.{ending}")]
    texts += [path for path in ROOT.glob("*.md") if path.name != "CHANGELOG.md"]  # it tells of the past
    texts += [*ROOT.glob("*.cfg"), *ROOT.glob("*.toml"), *ROOT.glob("*.yml")]
    found = {path.relative_to(ROOT): stale_names(path.read_text(encoding="utf-8")) for path in texts}
    assert {path: names for path, names in found.items() if names} == {}


def test_a_name_that_is_gone_is_found():
    gone = "mass_nnunet.benchmark." + "runner"
    known = "mass_nnunet.cli.main, mass_nnunet.trainers.MASSTrainer, mass_nnunet.__version__, src/mass_nnunet.egg-info"
    assert stale_names(f"{known} and `from {gone} import run`") == {gone}


def test_a_test_belongs_to_a_module():
    known = {namesake(file) for file in MODULES}
    found = {file.relative_to(ROOT / "tests") for file in (ROOT / "tests").rglob("test_*.py")}
    assert {file for file in found - known if file.parts[0] not in (*APART, *WHOLE)} == set()


def test_test_modules_that_are_found_by_name_have_different_names():
    """tests/helpers and tests/damaged_inputs are both on the path."""
    names = [file.name for folder in ("helpers", "damaged_inputs") for file in (ROOT / "tests" / folder).glob("*.py")]
    assert len(names) == len(set(names))


def test_a_package_has_a_line_that_says_what_it_is():
    for file in source_files():
        if file.name == "__init__.py":
            assert (ROOT / file).read_text(encoding="utf-8").startswith('"""'), file


def test_setup_lists_the_packages_that_there_are():
    listed = setup()["options"]["packages"].split()
    found = {module_name(file.parent / "__init__.py") for file in source_files()}
    assert sorted(listed) == sorted(found)


def test_setup_maps_the_folders_of_the_packages():
    lines = setup()["options"]["package_dir"].strip().splitlines()
    assert dict(reversed(line.split(" = ")) for line in lines) == PACKAGES


def test_setup_lists_the_data_files_that_there_are():
    patterns = {package: text.split() for package, text in setup()["options.package_data"].items()}
    listed = set()
    for package, globs in patterns.items():
        (folder,) = {file.parent for file in source_files() if module_name(file.parent / "__init__.py") == package}
        listed |= {path for pattern in globs for path in (ROOT / folder).glob(pattern)}
    found = {
        path
        for folder in PACKAGES
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts
    }
    assert listed == found
