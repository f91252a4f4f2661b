"""Which labels of an export, or of a folder of NIfTI files, belong to which of its scans."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mass_nnunet.data.nifti_file import ENDINGS
from mass_nnunet.dataset_conversion.readers.nifti_case import keyed
from mass_nnunet.dataset_conversion.source import stem, visible_files
from mass_nnunet.errors import UserError

from .case import DicomCase, Structures
from .export import Export, Series
from .naming import Naming, organs_in
from .structures import LabelObject


def labelled_cases(
    export: Export, taken: Sequence[Series], naming: Naming | None, folder: Path | None, picks: Sequence[str]
) -> tuple[list[DicomCase], dict[int, str]]:
    """The cases of an export, with their labels.

    Args:
        export: the export, with its label objects.
        taken: its series that become cases; each has a stack.
        naming: what the organs are called in the labels; None if no labels are used.
        folder: folder of label maps in NIfTI files, if there is one.
        picks: values of ``--series``; numbers of label objects among them pick these objects.

    Returns:
        The cases, and what is done with each label object, by its number in the table.

    Raises:
        UserError: labels cannot be read, or it is not clear whose they are or what they show.
    """
    nifti = _nifti(folder, taken)
    if nifti and naming is None:
        raise UserError(f"{folder} holds labels: say with --labels what they are")
    if naming is not None:
        _check_readable(export)
    numbers = {number for number, _ in export.labels}
    wanted = {int(pick) for pick in picks if pick.isdecimal()} & numbers or numbers
    objects, used = _assigned(export, taken, naming, wanted)
    if naming is not None and not objects and not nifti and (names := _unknown(export, taken)):
        raise UserError(
            f"--labels names no structure of the labels, which are {', '.join(names)}: name them as they are"
        )
    table = naming.table() if naming is not None else {0: 0}
    return [_case(one, objects.get(one.number, []), nifti.get(one.number), table) for one in taken], used


def _case(
    one: Series, objects: Sequence[tuple[LabelObject, Structures]], nifti: Path | None, table: Mapping[int, int]
) -> DicomCase:
    """The case of a series with its label objects, or with its label map in a NIfTI file.

    Raises:
        UserError: it has both.
    """
    assert one.stack is not None  # a series without slices has a fault
    if objects and nifti is not None:
        raise UserError(f"{one.title} has labels in {objects[0][0].name} and in {nifti}: leave one of them out")
    label = nifti.name if nifti is not None else " and ".join(label.name for label, _ in objects)
    return DicomCase(
        name=one.name,
        patient=one.patient,
        label=Path(label) if label else None,
        title=one.title,
        stack=one.stack,
        objects=tuple(objects),
        nifti=nifti,
        table=table,
    )


def _check_readable(export: Export) -> None:
    """Make sure that no labels of an export are lost.

    Raises:
        UserError: a label object cannot be read, or a damaged file may be one.
    """
    if export.unreadable:
        raise UserError(export.unreadable[0][1])
    if export.damaged:
        raise UserError(
            f"{export.path} holds DICOM files with damaged headers ({export.damaged}), which may be labels: "
            "export it again"
        )


def _unknown(export: Export, taken: Sequence[Series]) -> list[str]:
    """Names of the structures of taken scans."""
    labels = [label for _, label in export.labels if any(_score(label, one) for one in taken)]
    return list(dict.fromkeys(name for label in labels for _, name in label.structures))


def _score(label: LabelObject, one: Series) -> int:
    """As :meth:`LabelObject.belongs`; 0 for a series without slices."""
    return 0 if one.stack is None else label.belongs(one.uid, one.frame_of_reference, one.stack)


def _nifti(folder: Path | None, taken: Sequence[Series]) -> dict[int, Path]:
    """The NIfTI file of each series that has one, by number; a file is named as the case of a series, or by its UID."""
    result: dict[int, Path] = {}
    files = [] if folder is None else visible_files(folder, *ENDINGS)
    for key, path in sorted(keyed(((stem(path), path) for path in files), "label map").items()):
        fitting = [one for one in taken if key in (one.name, one.uid)]
        if not fitting:
            raise UserError(f"{path} belongs to no taken series: name it as its case in --list")
        if len(fitting) > 1:
            titles = " or ".join(f"{one.title} ({one.name})" for one in fitting)
            raise UserError(f"{path} does not say whether it is of {titles}: name it as its case")
        (one,) = fitting
        if one.number in result:
            raise UserError(f"{result[one.number]} and {path} are both the labels of {one.title}: remove one of them")
        result[one.number] = path
    return result


def _assigned(
    export: Export, taken: Sequence[Series], naming: Naming | None, wanted: set[int]
) -> tuple[dict[int, list[tuple[LabelObject, Structures]]], dict[int, str]]:
    """Label objects of each series, by its number, and what is done with each object, by its own."""
    result: dict[int, list[tuple[LabelObject, Structures]]] = {}
    used: dict[int, str] = {}
    owners: dict[tuple[int, str], LabelObject] = {}
    for number, label in export.labels:
        if naming is None or number not in wanted:
            used[number] = "not used: " + ("no --labels" if naming is None else "not picked")
            continue
        scores = [_score(label, one) for one in taken]
        best = [one for one, score in zip(taken, scores, strict=True) if score == max(scores) > 0]
        organs = organs_in(label.structures, naming)
        if organs and len(best) > 1:
            titles = " or ".join(one.title for one in best)
            raise UserError(f"{label.name} does not say whether it is of {titles}: pick one of them with --series")
        if not best or not organs:
            used[number] = f"not used: {'--labels names none of its structures' if best else _elsewhere(export, label)}"
            continue
        (one,) = best
        for organ in organs:
            if (other := owners.setdefault((one.number, organ), label)) is not label:
                raise UserError(
                    f"{organ} of {one.title} is in {other.name} and in {label.name}: pick the labels with --series too"
                )
        result.setdefault(one.number, []).append(
            (label, {naming.labels[organ]: numbers for organ, numbers in organs.items()})
        )
        used[number] = f"labels of {one.title}: {', '.join(organs)}"
    return result, used


def _elsewhere(export: Export, label: LabelObject) -> str:
    """Why a label object is of no taken scan."""
    scans = [one.title for one in export.series if _score(label, one)]
    return f"it is of {scans[0]}, which is not taken" if scans else "its scan is not here"
