"""Which part of the nnU-Net dataset a case goes to. Test patients are chosen once, and whole."""

import hashlib
from collections.abc import Collection, Sequence
from enum import Enum

from mass_nnunet.errors import UserError

from .source import Case


class Part(Enum):
    """The part of a dataset; the value is the ending of its folders' names."""

    TRAIN = "Tr"
    TEST = "Ts"
    UNLABELLED = "Un"


def choose_test_patients(patients: Collection[str], test_fraction: float, seed: int) -> set[str]:
    """Draw the share ``test_fraction`` of the patients, at least one of them and not all.

    The draw orders patients by a hash of seed and name, so that it is the same everywhere, and one patient
    more does not shuffle the others.

    Raises:
        UserError: there are fewer than two patients and ``test_fraction`` is not 0.
    """
    if test_fraction == 0:
        return set()
    if len(patients) < 2:
        raise UserError(
            f"{len(patients)} patient with complete labels is too few for a training and a test part: "
            "add patients, or give --test-fraction 0"
        )
    number = min(max(round(test_fraction * len(patients)), 1), len(patients) - 1)
    drawn = sorted(patients, key=lambda patient: hashlib.sha256(f"{seed} {patient}".encode()).digest())
    return set(drawn[:number])


def assign_parts(cases: Sequence[Case], labelled: set[str], test_fraction: float, seed: int) -> dict[str, Part]:
    """Part of each case by name.

    A scan without labels of a test patient has no part and is left out: training would otherwise see its anatomy.

    Args:
        cases: all cases.
        labelled: names of those with complete labels.
        test_fraction: share of the patients with labels to test on, 0 <= test_fraction < 1.
        seed: of the draw.

    Raises:
        UserError: too few patients have labels.
    """
    patients = {case.patient for case in cases if case.name in labelled}
    if not patients:
        raise UserError("no case has labels of all organs: at least one labelled scan is needed")
    test_patients = choose_test_patients(patients, test_fraction, seed)
    parts = {}
    for case in cases:
        if case.patient in test_patients:
            if case.name in labelled:
                parts[case.name] = Part.TEST
        else:
            parts[case.name] = Part.TRAIN if case.name in labelled else Part.UNLABELLED
    return parts
