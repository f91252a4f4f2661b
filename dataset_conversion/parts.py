"""Whose labels are used, and which part of the dataset a case goes to. Test patients are chosen once, and whole."""

import hashlib
from collections.abc import Collection, Mapping, Sequence

from mass_nnunet.data.raw import Part
from mass_nnunet.errors import UserError

from .checks.findings import absent_organs
from .checks.inspection import Measures
from .source import Case


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


def assign_parts(cases: Sequence[Case], labelled: Collection[str], test_fraction: float, seed: int) -> dict[str, Part]:
    """Part of each case by name.

    Where the authors published a test part, that is kept; else test patients are drawn from those with labels.
    A scan without labels of a test patient has no part and is left out: training would otherwise see its anatomy.

    Args:
        cases: all cases.
        labelled: names of those with complete labels; none at all gives a dataset of unlabelled scans.
        test_fraction: share of the patients with labels to test on, 0 <= test_fraction < 1.
        seed: of the draw.

    Raises:
        UserError: too few patients have labels.
    """
    patients = {case.patient for case in cases if case.name in labelled}
    published = any(case.part is not None for case in cases)
    if published:
        test_patients = {case.patient for case in cases if case.part is Part.TEST}
    else:
        test_patients = choose_test_patients(patients, test_fraction, seed) if patients else set()
    parts = {}
    for case in cases:
        if case.patient in test_patients:
            if case.name in labelled:
                parts[case.name] = Part.TEST
        else:
            parts[case.name] = Part.TRAINING if case.name in labelled else Part.UNLABELLED
    return parts


def usable_labels(
    cases: Sequence[Case], measures: Mapping[str, Measures], labels: Mapping[str, int], keep_partial: bool
) -> tuple[set[str], dict[str, str]]:
    """Which labels are used: those that have every organ, else training would take the missing one for background.

    Args:
        cases: all cases.
        measures: of each, by name.
        labels: of the dataset.
        keep_partial: use labels as well that have some of the organs.

    Returns:
        Names of the cases whose labels are used, and what the labels of a case lack, by name.
    """
    used, lacking = set(), {}
    for case in cases:
        organs = measures[case.name].organs
        if organs is None:
            continue
        absent = absent_organs(organs, labels)
        if case.may_stop_short:
            absent += [f"whole {name}" for name, organ in organs.items() if organ.cut_off]
        if absent:
            lacking[case.name] = f"no {', '.join(absent)} in {case.label}"
        if not absent or (keep_partial and organs):
            used.add(case.name)
    return used, lacking
