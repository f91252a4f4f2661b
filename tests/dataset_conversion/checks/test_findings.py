from dataclasses import replace

import numpy as np
import pytest

from mass_nnunet.data.raw import Part
from mass_nnunet.dataset_conversion.checks.findings import (
    Finding,
    Level,
    absent_organs,
    compare_cases,
    position_errors,
    unusual_findings,
)
from mass_nnunet.labels import LABELS
from measures import CENTRES, INTENSITY, checked, measures, organ


def texts(found: list[Finding]) -> list[str]:
    return [finding.text for finding in found]


def changed(name: str, **changes: object):
    """Measures with one organ otherwise."""
    return measures(organs={n: organ(n, **changes if n == name else {}) for n in CENTRES})


def test_a_sound_scan_has_no_finding():
    assert position_errors(measures()) == unusual_findings(measures(), LABELS, "CT") == []
    assert position_errors(measures(organs=None)) == unusual_findings(measures(organs=None), LABELS, "CT") == []


def test_an_organ_on_the_wrong_side_is_an_error_told_once():
    mirrored = measures(organs={n: organ(n, centre_mm=(-c[0], *c[1:])) for n, c in CENTRES.items()})
    (found,) = position_errors(mirrored)
    assert found.level is Level.ERROR
    assert found.text.startswith(
        "the right kidney is not to the right of the left kidney: its orientation or its label"
    )


@pytest.mark.parametrize(
    ("case", "channel", "text"),
    [
        (measures(organs={"liver": organ("liver")}), "CT", "no spleen, right_kidney, left_kidney"),
        (changed("liver", volume_ml=5000.0), "CT", "liver of 5000 ml, where 500 to 4000 are usual"),
        (changed("liver", cut_off=True), "CT", "liver ends bluntly inside of the scan"),
        (changed("liver", left_out=3), "CT", "liver is absent in 3 slices between others that show it: if nobody"),
        (changed("liver", mean=1100.0), "CT", "liver of 1100 HU: are these Hounsfield units"),
        (changed("liver", sd=248.0), "CT", "liver of 90 ± 248 HU: does the label lie on it?"),
        (measures(spacing=(20.0, 1.5, 1.5)), "CT", "voxels of 20 x 1.5 x 1.5 mm (z y x)"),
        (measures(spacing=(0.5, 1.5, 1.5)), "CT", "30 x 384 x 384 mm in all (z y x)"),
        (measures(spacing=(1.0, 1.0, 1.0), origin=(0.0, 0.0, 0.0)), "CT", "was its header lost?"),
        (measures(intensity=INTENSITY | {"min": 0.0, "low": 0.0, "max": 255.0}), "CT", "these are no Hounsfield units"),
        (measures(intensity=INTENSITY | {"min": 0.0, "low": 5.0}), "CT", "no air, its lowest intensities are about 5"),
        (measures(), "MRI", "intensities from -1024, as if it were a CT"),
    ],
)
def test_what_is_unusual_is_a_warning(case, channel, text):
    (found,) = unusual_findings(case, LABELS, channel)
    assert found.level is Level.WARNING
    assert text in found.text


def test_units_of_mri_and_of_hearts_are_not_judged():
    quiet = INTENSITY | {"min": 0.0, "low": 0.0}
    assert unusual_findings(replace(changed("liver", mean=1100.0), intensity=quiet), LABELS, "MRI") == []
    heart = measures(organs={"myocardium": organ("liver", mean=900.0, volume_ml=100.0)})
    assert unusual_findings(heart, {"background": 0, "myocardium": 1}, "CT") == []


def test_absent_organs():
    assert absent_organs({"spleen": organ("spleen"), "liver": organ("liver")}, LABELS) == [
        "right_kidney",
        "left_kidney",
    ]


def test_the_same_image_twice():
    cases = [checked("a"), checked("b", measures=measures(content="a")), checked("c")]
    first, second, third = compare_cases(cases)
    assert first.findings == third.findings == ()
    (found,) = second.findings
    assert (found.level, found.text) == (Level.WARNING, "images/b is the same image as images/a: remove one of them")
    cases[1] = replace(cases[1], part=Part.TEST)
    (found,) = compare_cases(cases)[1].findings
    assert found.level is Level.ERROR
    assert "one to train and one to test on (Dataset801_A/imagesTr, Dataset801_A/imagesTs)" in found.text
    # Between datasets as well, and not where a case is left out.
    assert compare_cases([cases[0], replace(cases[1], dataset="Dataset802_B")])[1].worst is Level.ERROR
    assert compare_cases([cases[0], replace(cases[1], part=None)])[1].findings == ()
    assert compare_cases([cases[0], replace(cases[1], measures=None)])[1].findings == ()


def test_a_patient_who_is_trained_and_tested_on():
    cases = [checked("a1", patient="a"), checked("a2", patient="a", part=Part.TEST), checked("b")]
    first, *others = compare_cases(cases)
    (found,) = first.findings
    assert found.level is Level.ERROR
    assert found.text == ("patient a is in Dataset801_A/imagesTr, and in Dataset801_A/imagesTs as a2: move one of them")
    assert [case.findings for case in others] == [(), ()]
    cases[0] = replace(cases[0], dataset="Dataset802_B", part=Part.UNLABELLED)
    assert compare_cases(cases)[0].worst is Level.WARNING
    assert (
        compare_cases([checked("a1", patient="a"), checked("a2", patient="a", part=Part.UNLABELLED)])[0].worst is None
    )


def test_all_findings_of_a_case_are_one_line():
    case = checked(findings=(Finding(Level.WARNING, "w"), Finding(Level.NOTE, "n"), Finding(Level.ERROR, "e")))
    assert case.worst is Level.ERROR
    assert case.line(*Level) == "a (labels/a): e; w; n"
    assert replace(case, label=None).line(Level.ERROR) == "a (images/a): e"
    assert np.unique([level.value for level in Level]).size == 3


def sliced(name: str, spacing: tuple[float, float, float], **changes: object):
    return checked(name, measures=measures(content=name, spacing=spacing), **changes)


def test_slices_along_another_axis_than_in_most_scans():
    axial, sagittal, cubic = (5.0, 1.5, 1.5), (1.75, 1.75, 8.0), (1.2, 1.0, 1.1)
    cases = [sliced("a", axial), sliced("b", sagittal), sliced("c", cubic), sliced("d", axial)]
    a, b, c, d = compare_cases(cases)
    assert a.findings == c.findings == d.findings == ()
    (found,) = b.findings
    assert found.level is Level.WARNING
    assert found.text.startswith(
        "its slices are stacked along x, those of most other scans along z: turn it or leave it out"
    )
    # Of all datasets that are checked together; a scan that is left out, or cannot be read, does not count.
    cases[3] = replace(cases[3], part=None)
    cases.append(sliced("e", sagittal, dataset="Dataset802_B"))
    assert texts(list(compare_cases(cases)[0].findings))[0].startswith(
        "its slices are stacked along z, those of most other"
    )
    assert compare_cases([cases[0], replace(cases[1], part=None)])[0].findings == ()
    assert compare_cases([replace(cases[0], measures=None), cases[1]])[1].findings == ()


STORED = ((-0.6, 0.64, 0.48), (0.0, -0.6, 0.8), (0.8, 0.48, 0.36))


def posed(name: str, axes: tuple | None, **changes: object):
    return checked(name, measures=measures(content=name, axes=axes), **changes)


def test_axes_that_no_reader_turns_are_alike_in_all_scans():
    mirrored = (*STORED[:2], tuple(-length for length in STORED[2]))
    cases = [posed("a", STORED), posed("b", mirrored), posed("c", STORED), posed("d", None)]
    a, b, c, d = compare_cases(cases)
    assert a.findings == c.findings == d.findings == ()
    (found,) = b.findings
    assert found.level is Level.WARNING
    assert "stored in another order or direction than those of most other scans" in found.text
    # Also between datasets; a scan that is left out does not count.
    assert compare_cases([cases[0], replace(cases[1], dataset="Dataset802_B"), cases[2]])[1].worst is Level.WARNING
    assert compare_cases([cases[0], replace(cases[1], part=None), cases[2]])[1].findings == ()


def test_nearly_isotropic_scans_say_nothing_about_the_axis():
    assert [case.findings for case in compare_cases([sliced("a", (1.0, 1.0, 1.4)), sliced("b", (1.4, 1.0, 1.0))])] == [
        (),
        (),
    ]
