"""The command, and the layers of modules below it; whole conversions are in test_raw_dataset.py."""

from pathlib import Path

import pytest

import mass_nnunet.dataset_conversion as room
from mass_nnunet.cli import main
from mass_nnunet.dataset_conversion.command import CONVERTERS, without
from mass_nnunet.dataset_conversion.readers.nifti_case import NiftiCase
from mass_nnunet.dataset_conversion.source import Target
from mass_nnunet.errors import UserError
from source_tree import imports

ROOT = Path(room.__file__).parent
# From low to high: a module imports those of lower layers, and of its own.
LAYERS = (
    ("source", "options"),
    ("readers",),
    ("checks", "dicom"),
    ("converter", "archive", "parts", "staging"),
    ("raw_dataset",),
    ("joining", "relabel", "to_dicom", "turn"),
    ("datasets",),
    ("command",),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
FILES = sorted(path for path in ROOT.rglob("*.py") if path.name != "__init__.py")


def target(name: str, *cases: str) -> Target:
    made = [NiftiCase(name=case, patient=case, image=Path(case), table={}) for case in cases]
    return Target(801, name, "CT", {"background": 0, "liver": 1}, made, None, None)


def test_cases_are_left_out_of_the_dataset_that_has_them():
    one, two = without([target("A", "a1", "a2"), target("B", "b1")], ["a1"])
    assert [case.name for case in one.cases] == ["a2"]
    assert [case.name for case in two.cases] == ["b1"]
    with pytest.raises(UserError, match="--exclude c: there is no case of that name, but a1 and others"):
        without([target("A", "a1")], ["c"])
    with pytest.raises(UserError, match="--exclude leaves nothing of B: name fewer cases"):
        without([target("A", "a1"), target("B", "b1")], ["b1"])


def test_help_lists_every_converter(capsys):
    with pytest.raises(SystemExit):
        main(["convert", "--help"])
    listed = " ".join(capsys.readouterr().out.split())
    for converter in CONVERTERS:
        assert f"{converter.NAME} {converter.TITLE}" in listed


@pytest.mark.parametrize("converter", CONVERTERS, ids=lambda converter: converter.NAME)
def test_help_of_a_converter_describes_its_dataset(converter, capsys):
    with pytest.raises(SystemExit):
        main(["convert", converter.NAME, "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert " ".join(converter.__doc__.split())[:60] in shown
    assert "--test-fraction" in shown and "--exclude" in shown


def layer(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Modules and folders of the room that a file imports."""
    inside = path.relative_to(ROOT)
    names = imports(Path("dataset_conversion") / inside, ".".join([room.__name__, *inside.with_suffix("").parts]))
    return {name.removeprefix(f"{room.__name__}.").split(".")[0] for name in names if name.startswith(room.__name__)}


def test_every_module_has_a_layer():
    assert {layer(path) for path in FILES} == set(LEVEL)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_lower_layers_only(path):
    own = layer(path)
    for name in imported(path) - {own}:
        assert LEVEL[name] <= LEVEL[own], f"{own} imports {name}"
    if own in ("datasets", "readers"):
        dicom = {"dicom"} if path.name == "dicom.py" else set()
        assert imported(path) <= {"source", "options", "readers"} | dicom


def test_the_command_imports_all_datasets():
    assert {"converter", "archive", "datasets"} <= imported(ROOT / "command.py")
