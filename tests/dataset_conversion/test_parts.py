import re
from dataclasses import replace
from pathlib import Path

import pytest

from converting import contents, convert, error_of
from mass_nnunet.data.files import read_json, write_json
from mass_nnunet.data.raw import Part
from mass_nnunet.dataset_conversion.checks.inspection import Measures, Organ
from mass_nnunet.dataset_conversion.parts import annotated_structures, assign_parts, choose_test_patients, usable_labels
from mass_nnunet.dataset_conversion.readers.nifti_case import NiftiCase
from mass_nnunet.errors import UserError
from native_trees import (
    BOXES,
    BTCV_VALUES,
    CHAOS_GRAYS,
    btcv_tree,
    organs,
    scan,
    write_btcv_case,
    write_chaos_patient,
    write_planes,
)

PATIENTS = [f"p{number:02d}" for number in range(20)]


def case(patient: str, sequence: str = "a", **options: object) -> NiftiCase:
    return NiftiCase(name=f"{patient}_{sequence}", patient=patient, image=Path("x"), table={}, **options)


@pytest.mark.parametrize(("number", "fraction", "expected"), [(20, 0.2, 4), (2, 0.01, 1), (2, 0.99, 1), (20, 0, 0)])
def test_number_of_test_patients(number, fraction, expected):
    assert len(choose_test_patients(PATIENTS[:number], fraction, 0)) == expected


def test_draw_depends_on_the_seed_alone():
    first = choose_test_patients(PATIENTS, 0.2, 0)
    assert first == choose_test_patients(PATIENTS[::-1], 0.2, 0)
    assert first != choose_test_patients(PATIENTS, 0.2, 1)
    assert first >= choose_test_patients(PATIENTS, 0.1, 0)


def test_too_few_patients():
    with pytest.raises(UserError, match=r"1 patient with complete labels is too few .*--test-fraction 0"):
        choose_test_patients(PATIENTS[:1], 0.2, 0)
    with pytest.raises(UserError, match=r"1 patient with complete labels"):
        assign_parts([case("p00"), case("p01")], {"p00_a"}, 0.2, 0)


def test_without_labels_all_is_unlabelled():
    assert assign_parts([case("p00"), case("p01")], set(), 0.2, 0) == {
        "p00_a": Part.UNLABELLED,
        "p01_a": Part.UNLABELLED,
    }


def test_published_parts_are_kept():
    cases = [case(patient, part=Part.TEST if patient == "p03" else Part.TRAINING) for patient in PATIENTS[:5]]
    cases += [case("p03", "b"), case("p07")]
    labelled = {c.name for c in cases if c.name not in ("p01_a", "p03_b", "p07_a")}
    assert assign_parts(cases, labelled, 0.2, 0) == {
        **{"p00_a": Part.TRAINING, "p01_a": Part.UNLABELLED, "p02_a": Part.TRAINING, "p03_a": Part.TEST},
        **{"p04_a": Part.TRAINING, "p07_a": Part.UNLABELLED},
    }


def measures(*organs: str, cut_off: str = "") -> Measures:
    """Measures of a scan with labels of the named organs; without names, of a scan without labels."""
    found = {
        organ: Organ(volume_ml=1, centre_mm=(0, 0, 0), mean=0, sd=1, cut_off=organ == cut_off)
        for organ in organs
        if organ
    }
    return Measures(
        size=(1, 1, 1), spacing=(1, 1, 1), origin=(0, 0, 0), intensity={}, content="", organs=found if organs else None
    )


def test_labels_are_used_where_every_organ_is_there():
    labels = {"background": 0, "spleen": 1, "liver": 2}
    cases = [case(name, label=Path("y")) for name in ("whole", "part", "other", "cut")] + [case("none")]
    cases.append(case("short", label=Path("y"), may_stop_short=True))
    found = {
        "whole_a": measures("spleen", "liver"),
        "part_a": measures("liver"),
        "other_a": measures(""),
        "cut_a": measures("spleen", "liver", cut_off="liver"),
        "none_a": measures(),
        "short_a": measures("spleen", "liver", cut_off="liver"),
    }
    lacking = {
        "part_a": "no spleen in y",
        "other_a": "no spleen, liver in y",
        "short_a": "no whole liver in y",
    }
    assert usable_labels(cases, found, labels, keep_partial=False) == ({"whole_a", "cut_a"}, lacking)
    used, the_same = usable_labels(cases, found, labels, keep_partial=True)
    assert used == {"whole_a", "cut_a", "part_a", "short_a"}
    assert the_same == lacking


def test_a_patient_is_in_one_part():
    cases = [case(patient, sequence) for patient in PATIENTS[:6] for sequence in ("a", "b")]
    labelled = {c.name for c in cases if c.name not in ("p00_a", "p00_b") and not c.name.endswith("b")}
    parts = assign_parts(cases, labelled, 0.4, 0)
    tested = {name[:3] for name, part in parts.items() if part is Part.TEST}
    assert len(tested) == 2
    for c in cases:
        if c.patient in tested:
            assert parts.get(c.name) is (Part.TEST if c.name in labelled else None)
        else:
            assert parts[c.name] is (Part.TRAINING if c.name in labelled else Part.UNLABELLED)


def test_an_organ_that_may_stop_short_was_not_annotated():
    organs = measures("spleen", "liver", cut_off="liver").organs
    assert annotated_structures(case("cut", label=Path("y")), organs) == ["spleen", "liver"]
    assert annotated_structures(case("short", label=Path("y"), may_stop_short=True), organs) == ["spleen"]


def test_what_a_complete_annotation_lacks_is_outside_of_the_scan():
    cases = [case(name, label=Path("y"), complete=True) for name in ("whole", "some", "none")]
    some = measures("liver")
    found = {"whole_a": measures("spleen", "liver"), "some_a": some, "none_a": replace(some, organs={})}
    labels = {"background": 0, "spleen": 1, "liver": 2}
    used, lacking = usable_labels(cases, found, labels, keep_partial=False)
    assert used == {"whole_a", "some_a"}
    assert lacking == {"none_a": "no spleen, liver in y"}
    assert set(assign_parts(cases, used, 0, 0)) == used


@pytest.mark.parametrize("keep", [False, True])
def test_labels_that_lack_an_organ(tmp_path, raw, capsys, keep):
    btcv_tree(tmp_path / "src", labelled=3, unlabelled=0)
    boxes = {organ: box for organ, box in BOXES.items() if organ != "right_kidney"}
    write_btcv_case(tmp_path / "src", 4, scan(4), organs(BTCV_VALUES, boxes))
    other = organs(BTCV_VALUES, {})
    other[0, 0, 0] = 13
    write_btcv_case(tmp_path / "src", 5, scan(5), other)
    assert convert("btcv", tmp_path / "src", "-d", 801, *["--keep-partial"] * keep) == 0
    files = contents(raw / "Dataset801_BTCV")
    out = capsys.readouterr().out
    assert re.search(r"btcv_0005 .*used without labels: no spleen, right_kidney, left_kidney, liver in", out)
    if keep:
        assert files["imagesUn"] == ["btcv_0005_0000.nii.gz"]
        assert re.search(r"btcv_0004 .*used, and what it lacks is unknown: no right_kidney in", out)
        annotated = read_json(raw / "Dataset801_BTCV" / "annotated.json", "")
        assert annotated == {"btcv_0004": ["spleen", "left_kidney", "liver"]}
    else:
        assert files["imagesUn"] == ["btcv_0004_0000.nii.gz", "btcv_0005_0000.nii.gz"]
        assert re.search(r"btcv_0004 .*used without labels: no right_kidney in", out)
        assert not (raw / "Dataset801_BTCV" / "annotated.json").exists()
    assert len(files["labelsTr"] + files["labelsTs"]) == 3 + keep


def test_no_label_has_every_organ(tmp_path, raw, capsys):
    boxes = {organ: box for organ, box in BOXES.items() if organ != "right_kidney"}
    for number in (1, 2):
        write_btcv_case(tmp_path / "src", number, scan(number), organs(BTCV_VALUES, boxes))
    line = error_of(capsys, "btcv", tmp_path / "src", "-d", 801)
    assert re.search(r"no case has labels of all organs, no right_kidney in .*label0001.nii.gz to begin with", line)
    assert convert("btcv", tmp_path / "src", "-d", 801, "--keep-partial") == 0
    # As an older version, to which a missing organ was background, has written it.
    record = raw / "Dataset801_BTCV/conversion.json"
    content = read_json(record, "")
    write_json(record, content | {"options": content["options"] | {"keep_partial": True}})
    assert "is of an earlier conversion" in error_of(capsys, "btcv", tmp_path / "src", "-d", 801, "--keep-partial")


def test_unlabelled_scan_of_a_test_patient_is_left_out(tmp_path, raw, capsys):
    boxes = {organ: box for organ, box in BOXES.items() if organ != "liver"}
    for number in (1, 2):
        patient = write_chaos_patient(tmp_path / f"src/Train_Sets/MR/{number}", seed=number)
        write_planes(organs(CHAOS_GRAYS, boxes), patient / "T1DUAL/Ground", "IMG-0004-{:05d}.png")
    assert convert("chaos", tmp_path / "src", "-d", 802, "--sequences", "T2SPIR", "T1IN") == 0
    files = contents(raw / "Dataset802_CHAOS")
    (tested,) = files["labelsTs"]
    (unlabelled,) = files["imagesUn"]
    assert tested[:8] != unlabelled[:8]
    out = capsys.readouterr().out
    assert re.search(rf"{tested[:8]}_T1IN .*left out, as its patient is a test patient: no liver", out)
    assert re.search(r"left out +1", out)
