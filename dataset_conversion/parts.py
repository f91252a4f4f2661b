"""Choice of the usable labels, and of the part of each case. All scans of a test patient are in the test part."""

import hashlib
from collections.abc import Collection, Mapping, Sequence

from mass_nnunet.data.raw import Part
from mass_nnunet.errors import UserError

from .checks.findings import absent_organs
from .checks.inspection import Measures, Organ
from .source import Case


def choose_test_patients(patients: Collection[str], test_fraction: float, seed: int) -> set[str]:
    """A random share ``test_fraction`` of the patients, at least one patient and not all.

    Patients are ordered by a hash of seed and name. So the choice is the same on every machine, and an additional
    patient does not change the order of the others.

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
    shuffled = sorted(patients, key=lambda patient: hashlib.sha256(f"{seed} {patient}".encode()).digest())
    return set(shuffled[:number])


def assign_parts(cases: Sequence[Case], labelled: Collection[str], test_fraction: float, seed: int) -> dict[str, Part]:
    """Part of each case by name.

    A test part published by the authors is kept; otherwise test patients are chosen among those with labels. An
    unlabelled scan of a test patient has no part and is left out, because training must not see the patient's anatomy.
    A scan that was annotated and shows no organ has no part either: an unlabelled scan should show the same part of the
    body.

    Args:
        cases: all cases.
        labelled: names of the cases with complete labels; without any, all scans are unlabelled.
        test_fraction: share of the patients with labels to test on, 0 <= test_fraction < 1.
        seed: seed of the choice.

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
        if case.complete and case.name not in labelled:
            continue  # none of the organs is in it
        if case.patient in test_patients:
            if case.name in labelled:
                parts[case.name] = Part.TEST
        else:
            parts[case.name] = Part.TRAINING if case.name in labelled else Part.UNLABELLED
    return parts


def usable_labels(
    cases: Sequence[Case], measures: Mapping[str, Measures], labels: Mapping[str, int], keep_partial: bool
) -> tuple[set[str], dict[str, str]]:
    """Choose the labels to use: those with all organs, as it is not known if a missing organ was annotated.

    Args:
        cases: all cases.
        measures: measures of each case, by name.
        labels: labels of the dataset.
        keep_partial: also use labels with only some of the organs; what was not annotated is unknown then.

    Returns:
        Names of the cases with used labels, and a description of what the labels of a case lack, by name.
    """
    used: set[str] = set()
    lacking: dict[str, str] = {}
    for case in cases:
        organs = measures[case.name].organs
        if organs is None:
            continue
        absent = [] if case.complete and organs else absent_organs(organs, labels)
        if case.may_stop_short:
            absent += [f"whole {name}" for name, organ in organs.items() if organ.cut_off]
        if absent:
            lacking[case.name] = f"no {', '.join(absent)} in {case.label}"
        if not absent or (keep_partial and annotated_structures(case, organs)):
            used.add(case.name)
    return used, lacking


def annotated_structures(case: Case, organs: Mapping[str, Organ]) -> list[str]:
    """The organs that a label map has, without those that it has in a part of the scan only."""
    return [name for name, organ in organs.items() if not (case.may_stop_short and organ.cut_off)]
