"""Which series of an export are taken: those that ``--series`` names, or all that are plain scans."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from mass_nnunet.errors import UserError

from .export import Export, Series

ALL = "all"
_REMEDY = "export it again, or pick another one from --list"


def chosen_series(export: Export, picks: Sequence[str], modality: str) -> list[Series]:
    """The series to convert.

    Args:
        export: the export.
        picks: numbers of series, and patterns of their descriptions; ``all`` is every plain scan; empty for the rule:
            all CT scans, and MR scans where each study has one.
        modality: ``CT`` or ``MR``.

    Raises:
        UserError: a named series does not exist or cannot be taken, a pattern fits none, MR scans have to be picked, or
            nothing can be taken.
    """
    plain = [one for one in export.series if not one.fault and not one.reserve]
    if picks:
        return _picked(export, picks, plain)
    if not plain:
        reasons = _reasons(export)
        raise UserError(
            f"{export.path} holds no {modality} scan that can be taken ({reasons}): see --list, "
            "and export what is missing"
        )
    if modality == "MR":
        for one, other in pairwise(plain):
            if one.study == other.study:
                raise UserError(
                    f"{export.path} holds two MR scans of one study, {one.title} ({one.description}) and {other.title} "
                    f"({other.description}): pick with --series, by numbers or by a pattern such as 't2.*tra', or all"
                )
    return plain


def _picked(export: Export, picks: Sequence[str], plain: Sequence[Series]) -> list[Series]:
    numbers = {one.number: one for one in export.series}
    labels = {number for number, _ in export.labels} | {number for number, _ in export.unreadable}
    chosen: set[int] = set()
    for pick in picks:
        if pick.isdecimal():
            number = int(pick)
            if number in labels:
                continue
            if number not in numbers:
                raise UserError(f"--series {pick}: {export.path} has {len(numbers) + len(labels)} series; see --list")
            if numbers[number].fault:
                raise UserError(f"--series {pick} cannot be taken, {numbers[number].fault}: {_REMEDY}")
            chosen.add(number)
        else:
            chosen |= _matching(pick, plain)
    if not chosen:
        raise UserError("--series names label objects only: name a scan as well, or leave the labels to their scans")
    return [one for one in export.series if one.number in chosen]


def _matching(pick: str, plain: Sequence[Series]) -> set[int]:
    try:
        pattern = re.compile("" if pick == ALL else pick, re.IGNORECASE)
    except re.error as error:
        raise UserError(f"--series {pick} is neither a number nor a regular expression ({error})") from None
    found = {one.number for one in plain if pattern.search(one.description)}
    if not found:
        raise UserError(f"--series {pick}: no scan that can be taken has such a description; see --list")
    return found


def _reasons(export: Export) -> str:
    """Reasons of the first few series, in one line."""
    rows = [f"{one.title}: {one.fault or one.reserve}" for one in export.series]
    rows += [f"series {number}: labels" for number, _ in (*export.labels, *export.unreadable)]
    return "; ".join(rows[:3]) + (f"; and {len(rows) - 3} more" if len(rows) > 3 else "")


def rows(export: Export, taken: Sequence[Series], used: Mapping[int, str]) -> list[tuple[str, ...]]:
    """Rows of the table.

    Args:
        export: the export.
        taken: series that are taken.
        used: what is done with each label object, by number.
    """
    numbers = {one.number for one in taken}
    found: dict[int, tuple[str, ...]] = {}
    for one in export.series:
        verdict = "taken" if one.number in numbers else f"not taken: {one.fault or one.reserve or 'not picked'}"
        size = voxel = ""
        if one.stack is not None:
            first = one.stack.planes[0]
            size = str(len(one.stack.planes))
            voxel = " x ".join(f"{value:.4g}" for value in (one.stack.step, *first.spacing)) if one.stack.step else ""
        found[one.number] = (str(one.number), one.name, one.modality, one.description, size, voxel, verdict)
    for number, label in export.labels:
        names = ", ".join(name for _, name in label.structures)
        found[number] = (str(number), "", label.kind, names, "", "", used.get(number, "not used"))
    for number, fault in export.unreadable:
        found[number] = (str(number), "", "labels", "", "", "", f"not used: {fault}")
    return [found[number] for number in sorted(found)]
