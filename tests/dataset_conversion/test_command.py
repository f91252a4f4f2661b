"""mass_nnunet.dataset_conversion.command; whole conversions are in test_raw_dataset.py."""

from pathlib import Path

import pytest

from mass_nnunet.cli import main
from mass_nnunet.dataset_conversion.command import CONVERTERS, without
from mass_nnunet.dataset_conversion.readers.nifti_case import NiftiCase
from mass_nnunet.dataset_conversion.source import Target
from mass_nnunet.errors import UserError


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
