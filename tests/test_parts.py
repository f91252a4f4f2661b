from pathlib import Path

import pytest

from mass_nnunet.dataset_conversion.btcv import BtcvCase
from mass_nnunet.dataset_conversion.parts import Part, assign_parts, choose_test_patients
from mass_nnunet.errors import UserError

PATIENTS = [f"p{number:02d}" for number in range(20)]


def case(patient: str, sequence: str) -> BtcvCase:
    return BtcvCase(name=f"{patient}_{sequence}", patient=patient, label=None, image=Path("x"))


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
    with pytest.raises(UserError, match=r"no case has labels"):
        assign_parts([case("p00", "a")], set(), 0.2, 0)


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
            assert parts[c.name] is (Part.TRAIN if c.name in labelled else Part.UNLABELLED)
