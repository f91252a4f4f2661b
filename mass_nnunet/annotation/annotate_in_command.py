"""``mass_nnunet annotate-in``: take the corrected labels of ``suggest --export`` into their dataset."""

import argparse
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from mass_nnunet.data.files import write_json
from mass_nnunet.data.paths import base_folder
from mass_nnunet.data.raw import TRAINING, UNLABELLED, RawDataset
from mass_nnunet.errors import UserError

from .corrected import read_corrected
from .exchange import Exported, read_export
from .group import alone, group_of, read_splits
from .intake import Intake, cases_of, check_intake, finish_moves
from .nested import Entries, extend, newest, set_structures, validate_too
from .pool import splits_file
from .taking_in import (
    begin,
    begun,
    checked_structures,
    count_scans,
    end,
    forget_arrays,
    has_label,
    move_scan,
    put_label,
    say_structures,
    scan_files,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet annotate-in``."""
    parser.add_argument(
        "folder", type=Path, help="folder that `mass_nnunet suggest --export` made, with corrected labels"
    )
    parser.add_argument("-d", type=int, nargs="+", metavar="ID", help="datasets to take in (default: all)")
    parser.add_argument(
        "--accept",
        nargs="+",
        default=[],
        metavar="CASE",
        help="scans whose proposed labels are right as they are; others that were not changed are left out",
    )
    parser.add_argument(
        "--structures",
        nargs="+",
        metavar="NAME",
        help="what was annotated in these scans, if not all structures; the others are unknown then (annotated.json)",
    )


def run(args: argparse.Namespace) -> None:
    """Take in what was corrected; a second run goes on where a killed one has stopped, or says that all is done."""
    export = read_export(args.folder)
    cases = _chosen(args.folder, export.cases, args.d, args.accept)
    datasets = list({dataset.id: dataset for _, dataset in cases}.values())
    group, fold = group_of(datasets, export.datasets), export.fold or 0
    structures = checked_structures(datasets[0], args.structures)
    with alone(group):
        finish_moves(cases)
        splits = read_splits(group, fold)
        if splits is not None:
            _refuse_sparse(datasets, splits, fold)
        intake = check_intake(args.folder, cases, splits, fold, args.accept)
        fresh = [one for one in intake.wanted if not _was_taken_in(args.folder, *one, splits, fold)]
        if splits is not None and structures is not None:
            _refuse_validated(fresh, splits)
        for note in intake.notes:
            print(f"note: {note}")
        is_changed = False
        of_killed = {dataset.id: begun(dataset) for dataset in datasets}
        for dataset in datasets:
            begin(dataset, cases_of(fresh, dataset))
        new = [_take(args.folder, *one) for one in tqdm(fresh, desc="taking in", unit="case")]
        for dataset in datasets:
            is_changed |= count_scans(dataset)
            is_changed |= say_structures(dataset, cases_of(fresh, dataset), structures)
        extension = None if splits is None else _extend(group, splits, fold, intake, fresh, structures)
        for dataset in datasets:
            end(dataset, cases_of(fresh, dataset))
    taken = [
        exported.case
        for (exported, dataset), is_new in zip(fresh, new, strict=True)
        if is_new or exported.case in of_killed[dataset.id]
    ]
    if taken:
        print(f"took in the labels of {', '.join(taken)}")
    elif not is_changed and (extension is None or not extension.is_new):
        print(f"the labels of {args.folder} were taken in before: nothing was changed")
    print("\n".join(_next_steps(group, extension, had_splits=splits is not None)))


@dataclass(frozen=True)
class _Extension:
    """The fold that trains on the scans.

    Attributes:
        number: of the fold.
        is_new: whether any splits had to be changed for it.
        validating: one sentence for each scan on which former folds validate from now on.
    """

    number: int
    is_new: bool
    validating: tuple[str, ...]


def _chosen(
    folder: Path, exported: Sequence[Exported], ids: Sequence[int] | None, accepted: Collection[str]
) -> list[tuple[Exported, RawDataset]]:
    """The scans of the chosen datasets.

    Raises:
        UserError: the folder has no scan of one of them, or a case is not in the folder, or a dataset does not exist.
    """
    there = {int(one.dataset[7:10]) for one in exported}
    if absent := [ident for ident in ids or () if ident not in there]:
        raise UserError(f"{folder} has no scan of dataset {absent[0]}: it has scans of {_listed(sorted(there))}")
    if strange := sorted(set(accepted) - {one.case for one in exported}):
        raise UserError(f"--accept {strange[0]}: {folder} has no such scan")
    datasets = {ident: RawDataset.load(ident) for ident in sorted(there) if not ids or ident in ids}
    found = [(one, datasets.get(int(one.dataset[7:10]))) for one in exported]
    return [(one, dataset) for one, dataset in found if dataset is not None]


def _was_taken_in(
    folder: Path, exported: Exported, dataset: RawDataset, splits: Mapping[str, Entries] | None, fold: int
) -> bool:
    """Whether an earlier run has taken in these labels to its end: what was said of them then stays.

    The newest fold trains on the scan, and ``labelsTr`` has the same labels.
    """
    files = scan_files(dataset, exported.case)
    if exported.case in begun(dataset) or files[0].parent.name != TRAINING:
        return False
    if splits is not None:
        entries = splits[dataset.name]  # a killed run may have extended those of other datasets alone
        if exported.case not in entries[newest({dataset.name: entries}, fold)]["train"]:
            return False
    return has_label(dataset, exported.case, read_corrected(folder, exported, dataset, files).label)


def _take(folder: Path, exported: Exported, dataset: RawDataset) -> bool:
    """Take in one scan; whether anything was new."""
    files = scan_files(dataset, exported.case)
    label = read_corrected(folder, exported, dataset, files).label
    new = put_label(dataset, exported.case, label)
    forget_arrays(dataset, exported.case, base_folder("preprocessed") / dataset.name)
    move_scan(dataset, exported.case)
    return new or files[0].parent.name == UNLABELLED


def _refuse_sparse(datasets: Sequence[RawDataset], splits: Mapping[str, Entries], fold: int) -> None:
    """Make sure that the fold uses all slices: the fold that extends it would use no other slices of the new labels.

    Raises:
        UserError: it was made by ``split --sparse``.
    """
    for dataset in datasets:
        if (sparse := splits[dataset.name][fold].get("sparse", 1)) > 1:
            raise UserError(
                f"fold {fold} of {splits_file(dataset)} was made by `split --sparse {sparse}`, and would use one of "
                f"{sparse} slices of the new labels: split again without --sparse, then take the labels in"
            )


def _refuse_validated(scans: Sequence[tuple[Exported, RawDataset]], splits: dict[str, Entries]) -> None:
    """Make sure that no scan is annotated in part that some fold validates on.

    Raises:
        UserError: one is.
    """
    for exported, dataset in scans:
        patients = dataset.patients()
        for number, entry in enumerate(splits[dataset.name]):
            if patients[exported.case] in {patients[case] for case in entry["val"]}:
                raise UserError(
                    f"--structures: fold {number} of {splits_file(dataset)} validates on the patient of "
                    f"{exported.case}, and nnU-Net's validation needs all structures: leave the scan out"
                )


def _extend(
    group: Sequence[RawDataset],
    splits: dict[str, Entries],
    fold: int,
    intake: Intake,
    fresh: Sequence[tuple[Exported, RawDataset]],
    structures: Sequence[str] | None,
) -> _Extension | None:
    """Extend the splits of all datasets, and write those that have changed.

    Returns:
        The fold that trains on the scans; None where a dataset has no annotated scan to validate on, and must be split
        again.
    """
    head = newest(splits, fold)
    if any(intake.of(d) and not splits[d.name][min(head, len(splits[d.name]) - 1)]["val"] for d in group):
        return None
    before = {dataset.name: repr(splits[dataset.name]) for dataset in group}
    annotated = {dataset.name: intake.of(dataset) for dataset in group}
    number = extend(splits, fold, annotated)
    validating = []
    for dataset in group:
        entries, patients = splits[dataset.name], dataset.patients()
        for case in annotated[dataset.name]:
            same = [other for other, patient in patients.items() if patient == patients[case]]
            if folds := validate_too(entries, case, same):
                validating.append(
                    f"fold {_listed(folds)} of {dataset.name} validates on {case} from now on, because it validates on "
                    "another scan of the patient: compare models by scores of the same scans"
                )
        for case in cases_of(fresh, dataset):
            set_structures(entries, case, structures)
    changed = [dataset for dataset in group if repr(splits[dataset.name]) != before[dataset.name]]
    for dataset in changed:
        write_json(splits_file(dataset), splits[dataset.name])
    return _Extension(number, bool(changed), tuple(validating))


def _next_steps(group: Sequence[RawDataset], extension: _Extension | None, *, had_splits: bool) -> list[str]:
    """The next commands to type."""
    ids = " ".join(str(dataset.id) for dataset in group)
    lines, number = [], 0
    if extension is None:
        if had_splits:
            lines.append("a dataset has no annotated scan to validate on: its folds cannot be extended, split again")
        lines.append(f"next: mass_nnunet split -d {ids} --label-rates 1.0")
    else:
        number = extension.number
        lines += extension.validating
        others = "the other folds" if extension.validating else "the folds"
        lines.append(f"fold {number} trains on them; {others} before it, and their models, stay as they are")
    lines.append(f"{'then' if extension is None else 'next'}: mass_nnunet plan -d {ids}, with the options that it had")
    lines.append(f"then: nnUNetv2_train {group[0].id} 3d_fullres {number} -tr MASSTrainer -p MASSPlans")
    return lines


def _listed(ids: Sequence[int]) -> str:
    return " and ".join(map(str, ids))
