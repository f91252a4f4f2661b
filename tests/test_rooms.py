"""The import contract between the rooms of mass_nnunet. docs/architecture.md shows ``ROOMS``.

The check reads the files' own import statements. import-linter is not used: it finds modules below the folder of the
package, and three packages lie beside that folder (``package_dir`` in setup.cfg), so their imports stay unseen.
"""

import re
from pathlib import Path

import pytest

from source_tree import ROOT, imports, module_name, source_files

ROOMS = (
    ("errors",),
    ("labels",),
    ("hyperparameters",),
    ("batch",),
    ("data",),
    ("runtime",),
    ("phantom",),
    ("losses",),
    ("registration",),
    ("networks",),
    ("objectives",),
    ("training",),
    ("evaluation",),
    ("api",),
    ("reporting",),
    ("quality",),
    ("dataset_conversion", "planners", "trainers"),
    ("export",),
    ("annotation",),
    ("benchmark.run",),
    ("benchmark.report",),
    ("benchmark.command",),
    ("demo",),
    ("nnunet_hook",),
    ("cli",),
)
"""From low to high: a room imports itself and the lower ones, and rooms of one line do not import each other."""

EXTENSIONS = ("dataset_conversion", "planners", "trainers")
"""Where nnU-Net is extended. They meet in files on disk; a room above imports them only as ``EXCEPTIONS`` say."""

EXCEPTIONS = {
    ("benchmark.run", "trainers"): "a grid names trainers, and they say how they predict and whether they are stock's",
    ("benchmark.report", "trainers"): "the report takes the description of a method from its trainer",
    ("nnunet_hook", "trainers"): "nnU-Net looks there for the trainer that -tr names",
}


def room(module: str) -> str:
    """The room of a module; the name itself where it lies in none."""
    names = module.split(".")[1:]
    candidates = (".".join(names[:2]), ".".join(names[:1]))
    return next((name for name in candidates if height(name) >= 0), module)


def height(name: str) -> int:
    """Line of a room in ``ROOMS``, from the lowest; -1 for what is no room, such as the version of the package."""
    return next((height for height, line in enumerate(ROOMS) if name in line), -1)


def allowed(importer: str, imported: str) -> bool:
    """Whether a room may import another one."""
    if imported in EXTENSIONS and importer != imported:
        return (importer, imported) in EXCEPTIONS
    return importer == imported or height(imported) < height(importer)


def between_rooms() -> set[tuple[str, str]]:
    """Pairs of importing and imported rooms."""
    found = set()
    for file in source_files():
        module = module_name(file)
        found |= {(room(module), room(name)) for name in imports(file, module) if name.startswith("mass_nnunet")}
    return found


@pytest.mark.parametrize("file", source_files(), ids=str)
def test_a_room_imports_the_rooms_below_it_only(file):
    module = module_name(file)
    ours = [name for name in imports(file, module) if name.split(".")[0] == "mass_nnunet"]
    assert [name for name in ours if not allowed(room(module), room(name))] == []


def test_no_exception_is_stale():
    assert EXCEPTIONS.keys() <= between_rooms()


def test_the_documentation_shows_these_rooms():
    (block,) = re.findall(r"^```\n(errors\n.+?)^```$", (ROOT / "docs/architecture.md").read_text("utf-8"), re.M | re.S)
    assert tuple(tuple(line.split()) for line in block.splitlines()) == ROOMS


def test_every_module_lies_in_a_room_and_every_room_exists():
    rooms = {name for line in ROOMS for name in line}
    assert {room(module_name(file)) for file in source_files()} == rooms | {"mass_nnunet", "mass_nnunet.benchmark"}


@pytest.mark.parametrize(
    ("importer", "imported", "may"),
    [
        ("networks", "losses", True),
        ("losses", "networks", False),
        ("trainers", "planners", False),
        ("planners", "trainers", False),
        ("networks", "trainers", False),
        ("demo", "dataset_conversion", False),
        ("benchmark.run", "benchmark.report", False),
        ("benchmark.run", "trainers", True),
        ("trainers", "export", False),
    ],
)
def test_what_may_import_what(importer, imported, may):
    assert allowed(importer, imported) == may


@pytest.mark.parametrize(
    ("statement", "names"),
    [
        ("import os.path", ["os.path"]),
        ("from .files import read_json", ["mass_nnunet.data.files.read_json"]),
        ("from ..errors import UserError", ["mass_nnunet.errors.UserError"]),
        ("from .. import labels", ["mass_nnunet.labels"]),
        ("def f():\n    from mass_nnunet import cli", ["mass_nnunet.cli"]),
    ],
)
def test_imports_are_found_with_their_full_names(statement, names, tmp_path):
    file = tmp_path / "raw.py"
    file.write_text(statement)
    assert list(imports(Path(file), "mass_nnunet.data.raw")) == names
