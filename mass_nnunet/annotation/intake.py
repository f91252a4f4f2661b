"""Which corrected labels of a folder are taken in, which are there already, and which are left out, and why."""

from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

from mass_nnunet.data.raw import TRAINING, RawDataset
from mass_nnunet.errors import UserError

from .corrected import Corrected, read_corrected, saved_elsewhere
from .exchange import Exported
from .nested import Entries, extend
from .taking_in import move_scan, scan_files


@dataclass
class Intake:
    """Scans by what becomes of them; a scan is a pair of its record and its dataset.

    Attributes:
        wanted: labels to be taken in, also those that were taken in before.
        done: taken in before as they were exported.
        notes: one sentence for each scan that is left out, and for each correction of a file.
    """

    wanted: list[tuple[Exported, RawDataset]] = field(default_factory=list)
    done: list[tuple[Exported, RawDataset]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def of(self, dataset: RawDataset) -> list[str]:
        """The wanted cases of a dataset."""
        return cases_of(self.wanted, dataset)


def cases_of(scans: Sequence[tuple[Exported, RawDataset]], dataset: RawDataset) -> list[str]:
    """The cases of a dataset among some scans."""
    return [exported.case for exported, its in scans if its.id == dataset.id]


def finish_moves(cases: Sequence[tuple[Exported, RawDataset]]) -> None:
    """Move the other channels of scans of which a killed run had moved some; their labels were written before that.

    Raises:
        UserError: a file of a scan is in neither of its folders, or in both.
    """
    for exported, dataset in cases:
        parts = {file.parent.name for file in scan_files(dataset, exported.case)}
        if len(parts) > 1:
            move_scan(dataset, exported.case)


def check_intake(
    folder: Path,
    cases: Sequence[tuple[Exported, RawDataset]],
    splits: Mapping[str, Entries] | None,
    fold: int,
    accepted: Collection[str],
) -> Intake:
    """Check all scans of a folder before anything is changed.

    Args:
        folder: the exported folder.
        cases: its scans.
        splits: entries of the splits by the name of the dataset; None if there are none.
        fold: number of the fold that is to be extended.
        accepted: scans whose labels are taken though they were not changed.

    Raises:
        UserError: labels are wrong, or accepted though they are empty, with one line for each; or the splits are older
            than the dataset.
    """
    intake, errors = Intake(), []
    newest = None if splits is None else _newest_entries(splits, fold)
    for exported, dataset in cases:
        entry = None if newest is None else newest[dataset.name]
        files = scan_files(dataset, exported.case)
        if entry is not None and (note := _held_out(dataset, exported.case, entry)):
            intake.notes.append(note)
            continue
        try:
            found = read_corrected(folder, exported, dataset, files)
        except UserError as error:
            errors.append(str(error))
            continue
        if found.is_empty and exported.case in accepted:
            errors.append(f"--accept {exported.case}: {exported.label_file(folder)} is empty: annotate the scan")
            continue
        intake.notes += found.notes
        if found.is_changed or exported.case in accepted:
            intake.wanted.append((exported, dataset))
        elif files[0].parent.name == TRAINING and (entry is None or exported.case in entry["train"]):
            intake.done.append((exported, dataset))
        else:
            intake.notes.append(_unchanged(folder, exported, len(files), found))
    if errors:
        raise UserError("\n".join(errors))
    if not intake.wanted and not intake.done:
        raise UserError("\n".join([*intake.notes, f"{folder} holds no corrected label: nothing was changed"]))
    return intake


def _unchanged(folder: Path, exported: Exported, channels: int, found: Corrected) -> str:
    """Why a scan is left out whose labels were not changed."""
    others = saved_elsewhere(folder, exported, channels)
    beside = f"; {others[0]} beside it is not read" if others else ""
    advice = "" if found.is_empty else f" (--accept {exported.case} takes it as it is)"
    return f"{exported.label_file(folder)} is as it was exported{beside}: the scan is left out{advice}"


def _newest_entries(splits: Mapping[str, Entries], fold: int) -> dict[str, dict]:
    """The entry of each dataset in the newest fold that comes from ``fold``."""
    copy = deepcopy(dict(splits))
    number = extend(copy, fold, {})
    return {name: entries[number] for name, entries in copy.items()}


def _held_out(dataset: RawDataset, case: str, entry: Mapping[str, Sequence[str]]) -> str | None:
    """Why a scan cannot be trained on; None if it can.

    Raises:
        UserError: the fold does not know the scan.
    """
    if case in entry["train"] or case in entry["unlabelled"]:
        return None
    patients = dataset.patients()
    validated = {patients[other] for other in entry["val"] if other in patients}
    if patients[case] in validated:
        return f"{case} is left out: its patient is validated on by now"
    raise UserError(
        f"{case} of {dataset.folder} is not in the splits: run `mass_nnunet split` again, for all datasets together"
    )
