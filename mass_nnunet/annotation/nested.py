"""Folds that extend others: scans that were annotated since are moved from the unlabelled to the training scans.

``splits_final.json`` gets a new entry, whose ``extends`` is the number of the fold before it. All former folds stay as
they are, and with them their models; in them the scan counts as one whose label is hidden. Only folds that validate on
its patient and do not have the scan yet change: they validate on the scan, too.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mass_nnunet.errors import UserError

EXTENDS = "extends"
Entries = list[dict[str, Any]]
"""Content of a ``splits_final.json``."""


def newest(splits: Mapping[str, Entries], base: int) -> int:
    """The fold at the end of the chain of folds that extend ``base``.

    Args:
        splits: entries of each dataset of a group, by its name; after an interruption one may have more than another.
        base: number of a fold.
    """
    head = base
    for number, entry in enumerate(_longest(splits)):
        if entry.get(EXTENDS) == head:
            head = number
    return head


def extend(splits: Mapping[str, Entries], base: int, annotated: Mapping[str, Sequence[str]]) -> int:
    """Extend the newest fold that comes from ``base``, in all datasets of a group, unless it has these scans already.

    An extension of before that was interrupted between two datasets is completed.

    Args:
        splits: entries of each dataset, by its name; new ones are appended.
        base: number of a fold.
        annotated: scans of each dataset, unlabelled in the fold or in training.

    Returns:
        The number of the fold that has all of them.

    Raises:
        UserError: the datasets have different numbers of folds, and not for an interruption.
    """
    longest = _longest(splits)
    for name, entries in splits.items():
        while len(entries) < len(longest):
            parent = longest[len(entries)].get(EXTENDS)
            if parent is None:
                raise UserError(f"{name} has fewer folds than another dataset of its group: split them together again")
            entries.append(extended(entries[parent], parent, annotated.get(name, ())))
    head = newest(splits, base)
    if any(case in splits[name][head]["unlabelled"] for name, cases in annotated.items() for case in cases):
        for name, entries in splits.items():
            entries.append(extended(entries[head], head, annotated.get(name, ())))
        head = len(longest) - 1
    return head


def validate_too(entries: Entries, case: str, same_patient: Sequence[str]) -> list[int]:
    """Add a scan to the validation cases of the folds that validate on its patient, and so have it nowhere.

    What these folds train on stays as it is; former scores of their validation are without the scan.

    Args:
        entries: of its dataset; changed in place.
        case: the scan.
        same_patient: all scans of its patient.

    Returns:
        The numbers of these folds.
    """
    changed = []
    for number, entry in enumerate(entries):
        used = {*entry["train"], *entry["unlabelled"], *entry["val"]}
        if case not in used and set(same_patient) & set(entry["val"]):
            entry["val"] = sorted([*entry["val"], case])
            changed.append(number)
    return changed


def set_structures(entries: Entries, case: str, structures: Sequence[str] | None) -> None:
    """Say in all folds that train on a scan which of its structures are annotated; None for all."""
    for entry in entries:
        if case in entry["train"]:
            others = {name: names for name, names in entry.get("annotated", {}).items() if name != case}
            partly = others | ({} if structures is None else {case: list(structures)})
            entry.pop("annotated", None)
            if partly:
                entry["annotated"] = partly


def _longest(splits: Mapping[str, Entries]) -> Entries:
    """The entries of a dataset with the most folds."""
    return max(splits.values(), key=lambda entries: len(entries))


def extended(entry: Mapping[str, Any], number: int, cases: Sequence[str]) -> dict[str, Any]:
    """An entry that extends fold ``number``, which is ``entry``: these of its unlabelled scans are training scans."""
    moved = [case for case in cases if case in entry["unlabelled"]]
    return {
        **entry,
        "train": sorted([*entry["train"], *moved]),
        "unlabelled": [case for case in entry["unlabelled"] if case not in moved],
        EXTENDS: number,
    }
