"""Findings of one kind in many scans."""

import pytest

from mass_nnunet.dataset_conversion.checks.findings import Finding, Level
from mass_nnunet.dataset_conversion.checks.kinds import MANY, kind, told_together
from measures import checked


def warning(text: str) -> Finding:
    return Finding(Level.WARNING, text)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("liver ends bluntly", "left_kidney ends bluntly", True),
        ("no liver, spleen", "no spleen", True),
        ("liver of -12 HU", "liver of 400.5 HU", True),
        ("3 slices at one end", "17 slices at one end", True),
        ("/data/a.nii.gz is the same image as /data/b.nii.gz", "/data/c.nii.gz is the same image as b/d.nii.gz", True),
        ("patient ct1 is in Dataset801/imagesTr", "patient ct22 is in Dataset802/imagesTr", True),
        ("liver ends bluntly", "liver has two parts", False),
        ("no liver", "no liver: was it annotated?", False),
    ],
)
def test_kinds(one, other, same):
    structures = ["liver", "spleen", "left_kidney"]
    assert (kind(warning(one), structures) == kind(warning(other), structures)) == same


def test_without_structures_a_kind_has_no_files_and_numbers():
    assert kind(warning("liver of 5 HU in a/b"), []) == "liver of ? HU in ?"


def test_few_scans_keep_their_lines_and_many_have_an_example():
    few = [checked(name, findings=(warning(f"{name}1 HU"), Finding(Level.NOTE, "turned"))) for name in "abc"]
    assert told_together(few, Level.WARNING, [], "check.json") == ([], few)
    many = [checked(f"c{n}", findings=(warning(f"{n} HU"), Finding(Level.NOTE, "turned"))) for n in range(MANY)]
    lines, rest = told_together(many, Level.WARNING, [], "check.json")
    assert lines == ["warning: 4 scans (c0, c1, c2, ...; all in check.json), as in c0: 0 HU"]
    assert {case.findings for case in rest} == {(Finding(Level.NOTE, "turned"),)}
