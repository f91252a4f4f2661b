"""An export of an archive: all series in it, each under a number and the pseudonym of its patient."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from mass_nnunet.dataset_conversion.source import Source
from mass_nnunet.errors import UserError

from .identity import masked
from .instance import Instance, read_instance
from .pseudonyms import Pseudonyms
from .stacks import Stack, stacks_of
from .structures import KINDS, LabelObject, read_label_object
from .suitability import fault_of, reserve_of


@dataclass(frozen=True, kw_only=True)
class Series:
    """A row of the table: one scan, or a series that is no scan.

    Attributes:
        number: its number in the table.
        name: name of the case that it would become, such as ``p001_t2_s3``: patient, time point, series.
        patient: pseudonym of the patient.
        study: pseudonym of the study, such as ``p001_t2``.
        uid: SeriesInstanceUID.
        frame_of_reference: FrameOfReferenceUID.
        modality: ``CT``, ``MR``, ``SEG`` and others.
        description: what the scanner calls it, and what tells it from other scans of the series; no patient's name.
        stack: its slices; None for a series without any.
        fault: why it cannot be taken; empty if it can.
        reserve: why it is taken only if its number is given; empty if it is taken by itself.
        acquired: when it was acquired; equal for reconstructions of one acquisition. It is never shown.
    """

    number: int
    name: str
    patient: str
    study: str
    uid: str
    frame_of_reference: str
    modality: str
    description: str
    stack: Stack | None
    fault: str = ""
    reserve: str = ""
    acquired: str = ""

    @property
    def title(self) -> str:
        """Its name in messages."""
        return f"series {self.number}"


@dataclass(frozen=True)
class Export:
    """What an archive has exported.

    Attributes:
        path: the path that the user gave.
        series: all series that are no label objects.
        labels: label objects, with their row numbers in the names.
        pseudonyms: those of the patients.
        others: number of files that are no DICOM.
        damaged: number of DICOM files with a damaged header.
        unreadable: faults of label objects that cannot be read, by number.
    """

    path: Path
    series: tuple[Series, ...]
    labels: tuple[tuple[int, LabelObject], ...]
    pseudonyms: Pseudonyms
    others: int
    damaged: int
    unreadable: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class _Group:
    """The files of one series.

    Attributes:
        patient: pseudonym of the patient.
        study: pseudonym of the study, such as ``p001_t2``.
        index: number of the series in the study, from 1.
        files: what their headers say.
    """

    patient: str
    study: str
    index: int
    files: Sequence[Instance]


def read_export(
    source: Source,
    modality: str | None,
    key: Path | None = None,
    labels: Path | None = None,
    *,
    by_study: bool = False,
) -> Export:
    """All series of a source.

    Args:
        source: where to look.
        modality: ``CT`` or ``MR``: other series cannot be taken; None for both.
        key: a key file of an earlier conversion, if it exists.
        labels: another folder with label objects.
        by_study: take each study for another person's.

    Raises:
        UserError: a file cannot be opened, or there is no DICOM file.
    """
    roots = source.roots if labels is None else (*source.roots, labels)
    paths = list(dict.fromkeys(_files(Source(source.path, roots))))
    instances, damaged = _read_instances(source, paths)
    pseudonyms = Pseudonyms([instance.identity for instance in instances], key, by_study=by_study)
    tokens = pseudonyms.tokens()
    series: list[Series] = []
    objects: list[tuple[int, LabelObject]] = []
    unreadable: list[tuple[int, str]] = []
    for group in _grouped(instances, pseudonyms):
        first = len(series) + len(objects) + len(unreadable) + 1
        kind = KINDS.get(group.files[0].text["SOPClassUID"])
        if kind is None:
            series += _scans(group, first, tokens, modality)
            continue
        for number, instance in enumerate(group.files, first):
            try:
                objects.append((number, read_label_object(instance.path, kind, f"series {number}", tokens)))
            except UserError as error:
                unreadable.append((number, str(error)))
    others = len(paths) - len(instances) - damaged
    return Export(
        source.path, _best_reconstructions(series), tuple(objects), pseudonyms, others, damaged, tuple(unreadable)
    )


def _scans(group: _Group, first: int, tokens: Sequence[str], modality: str | None) -> list[Series]:
    """The scans of a series, one row each.

    Args:
        group: the series.
        first: number of the first row.
        tokens: what must not be shown of a description.
        modality: ``CT`` or ``MR``: other scans cannot be taken; None for both.
    """
    planes = [plane for one in group.files for plane in one.planes]
    stacks: Sequence[Stack | None] = stacks_of(planes, f"series {first}")
    result = []
    for part, stack in enumerate(stacks or (None,)):
        members = _members(group.files, stack)
        text = members[0].text
        description = masked(text["SeriesDescription"] or text["ProtocolName"], tokens)
        suffix = f"-{part + 1}" if len(stacks) > 1 else ""
        result.append(
            Series(
                number=first + part,
                name=f"{group.study}_s{group.index}{suffix}",
                patient=group.patient,
                study=group.study,
                uid=text["SeriesInstanceUID"],
                frame_of_reference=text["FrameOfReferenceUID"],
                modality=text["Modality"],
                description=", ".join(filter(None, (description, stack.mark if stack else ""))),
                stack=stack,
                fault=fault_of(group.files, members, stack, modality),
                reserve=reserve_of(members),
                acquired=_acquired(members),
            )
        )
    return result


def _read_instances(source: Source, paths: Sequence[Path]) -> tuple[list[Instance], int]:
    """The headers of the DICOM files among these, and how many of them are damaged.

    Raises:
        UserError: a file cannot be opened, or there is no DICOM file.
    """
    instances = []
    damaged = 0
    with tqdm(paths, desc="reading headers", unit="file", disable=not paths) as bar:
        for path in bar:
            try:
                if (found := read_instance(path)) is not None:
                    instances.append(found)
            except ValueError:
                damaged += 1
            except OSError as error:  # its text would name the file
                raise UserError(
                    f"{source.path} holds a file that cannot be read ({error.strerror}): check the files' permissions"
                ) from None
    if not instances:
        raise UserError(f"{source.path} holds no DICOM image: give the folder or the zip that the archive has exported")
    return instances, damaged


def _acquired(members: Sequence[Instance]) -> str:
    """Time at which the first slice of a scan was acquired; each slice of an acquisition has its own."""
    texts = [one.text for one in members]
    return min((f"{t['AcquisitionDate']} {t['AcquisitionTime']}" for t in texts if t["AcquisitionTime"]), default="")


def _files(source: Source) -> Iterator[Path]:
    try:
        for folder, _, files in source.walk():
            yield from (folder / name for name in files if not name.lower().endswith(".zip"))
    except UserError:  # its text names a file
        raise UserError(f"{source.path} holds a broken link: repair or remove it") from None
    except OSError as error:
        raise UserError(f"{source.path} cannot be searched ({error.strerror}): check its permissions") from None


def _grouped(instances: Sequence[Instance], pseudonyms: Pseudonyms) -> Iterator[_Group]:
    """The series of all patients, in the order of patients, studies and series."""
    patients: dict[str, dict[str, dict[str, list[Instance]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for instance in instances:
        text = instance.text
        patients[pseudonyms[instance.identity]][text["StudyInstanceUID"]][text["SeriesInstanceUID"]].append(instance)
    for patient in sorted(patients):
        studies = sorted(patients[patient].items(), key=lambda item: (_when(item[1]), item[0]))
        for time, (_, groups) in enumerate(studies, 1):
            for index, files in enumerate(sorted(groups.values(), key=_series_order), 1):
                yield _Group(patient, f"{patient}_t{time}", index, files)


def _when(groups: dict[str, list[Instance]]) -> str:
    return min(one.text["StudyDate"] + one.text["StudyTime"] for group in groups.values() for one in group)


def _series_order(group: Sequence[Instance]) -> tuple[int, str]:
    text = group[0].text["SeriesNumber"]
    return int(text) if re.fullmatch(r"[+-]?\d+", text) else 0, group[0].text["SeriesInstanceUID"]


def _members(group: Sequence[Instance], stack: Stack | None) -> list[Instance]:
    """The files of a stack; all of them where there is none."""
    if stack is None:
        return list(group)
    paths = {plane.path for plane in stack.planes}
    return [instance for instance in group if instance.path in paths]


def _best_reconstructions(series: Sequence[Series]) -> tuple[Series, ...]:
    """The same series, with a reserve for all reconstructions of one CT acquisition but that with most slices."""
    best: dict[tuple[str, str, str], Series] = {}
    for one in series:
        if _is_free(one):
            key = (one.study, one.frame_of_reference, one.acquired)
            if key not in best or _slices(one) > _slices(best[key]):
                best[key] = one
    result = []
    for one in series:
        chosen = best.get((one.study, one.frame_of_reference, one.acquired)) if _is_free(one) else None
        if chosen is not None and chosen is not one:
            one = replace(one, reserve=f"another reconstruction of {chosen.title}")
        result.append(one)
    return tuple(result)


def _is_free(one: Series) -> bool:
    return one.modality == "CT" and bool(one.acquired) and not one.fault and not one.reserve


def _slices(one: Series) -> int:
    return 0 if one.stack is None else len(one.stack.planes)
