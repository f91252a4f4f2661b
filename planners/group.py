"""The datasets that are planned and trained together, and what they must have in common."""

from collections import Counter
from collections.abc import Sequence

from mass_nnunet.data.axes import AXES, through_plane_axis, usual_axis
from mass_nnunet.data.dataset_json import READER_KEY
from mass_nnunet.data.outdated import named
from mass_nnunet.data.raw import TRAINING, UNLABELLED, RawDataset
from mass_nnunet.data.regions import ORDER
from mass_nnunet.data.volume import check_header
from mass_nnunet.errors import UserError
from mass_nnunet.labels import BACKGROUND


def load_group(dataset_ids: Sequence[int]) -> list[RawDataset]:
    """Read the datasets of a group.

    Raises:
        UserError: one is not complete or has unsupported labels; they differ in labels, regions or reader; none has
            labelled scans; or one has none, and no dataset that has some has as many channels.
    """
    group = [RawDataset.load(dataset_id) for dataset_id in dict.fromkeys(dataset_ids)]
    first = group[0]
    for other in group[1:]:
        ours, theirs = ((list(one.regions.items()), one.regions and one.content.get(ORDER)) for one in (first, other))
        if ours != theirs:
            raise UserError(
                f"the regions of {first.name} and {other.name} differ: give both the same labels, in the same order, "
                f"and the same {ORDER} in dataset.json"
            )
        labels = (first.labels, other.labels)
        if labels[0] != labels[1]:
            common = " ".join(name for name in labels[0] if name in labels[1] and name != BACKGROUND)
            remedy = f"`mass_nnunet relabel -d ID --map {common}`" if common else "labels of the same names"
            raise UserError(
                f"the labels of {first.name} and {other.name} differ: {labels[0]} and {labels[1]}; "
                f"make datasets with the same ones by {remedy}"
            )
        readers = (first.content.get(READER_KEY), other.content.get(READER_KEY))
        if readers[0] != readers[1]:
            # Readers order and direct the axes differently: left in one dataset would be right in the other.
            raise UserError(
                f"the readers of {first.name} and {other.name} differ: {readers[0]} and {readers[1]}; "
                f"give both datasets the same {READER_KEY} in dataset.json, or convert both with the same --pose "
                "(`mass_nnunet convert nifti`)"
            )
    for dataset in group:
        _check_files(dataset)
    if not any(dataset.cases(TRAINING) for dataset in group):
        names = " and ".join(dataset.name for dataset in group)
        raise UserError(
            f"{names}: {TRAINING} holds no scan, and a group without any label cannot be trained: "
            "plan them with a dataset that has labels"
        )
    for dataset in group:
        _check_lenders(dataset, group)
    return group


def _check_lenders(dataset: RawDataset, group: Sequence[RawDataset]) -> None:
    """Make sure that a dataset without labels can be trained with the labelled scans of another one.

    Raises:
        UserError: none of them has as many channels.
    """
    lenders = [other for other in group if other.cases(TRAINING)]
    numbers = sorted({len(other.channels) for other in lenders})
    if not dataset.cases(TRAINING) and len(dataset.channels) not in numbers:
        raise UserError(
            f"no scan of {dataset.name} has a label, and those of {' and '.join(other.name for other in lenders)} "
            f"cannot serve in training: they have {' or '.join(map(str, numbers))} channels, and its scans "
            f"{len(dataset.channels)}; annotate one, or make datasets of as many channels"
        )


def check_axes(group: Sequence[RawDataset], fingerprints: Sequence[dict]) -> None:
    """Make sure that the slices of all scans are stacked along the same axis; scans that are nearly isotropic pass.

    A grid for scans along different axes would be coarse along the finest axis of some of them.

    Args:
        group: the datasets.
        fingerprints: of the datasets; their scans are those to train on, labelled ones first.

    Raises:
        UserError: the axes differ; the message names scans of each dataset.
    """
    axes = [[through_plane_axis(spacing) for spacing in fingerprint["spacings"]] for fingerprint in fingerprints]
    scans = [axis for of_dataset in axes for axis in of_dataset]
    usual = usual_axis(scans)
    if usual is None:
        return
    found = []
    for dataset, of_dataset in zip(group, axes, strict=True):
        cases = [case for part in (TRAINING, UNLABELLED) for case in dataset.cases(part)]
        others = {case: axis for case, axis in zip(cases, of_dataset, strict=True) if axis not in (None, usual)}
        if others:
            along = " or ".join(sorted({AXES[axis] for axis in others.values() if axis is not None}))
            count = f"{len(others)} of the {len(cases)}"
            found.append(f"along {along} in {count} scans of {dataset.name} ({named(others)})")
    if found:
        ids = " ".join(str(dataset.id) for dataset in group)
        raise UserError(
            f"slices are stacked along {AXES[usual]} in {scans.count(usual)} of the {len(scans)} scans of the group, "
            f"but {' and '.join(found)}: one grid for both would be coarse within slices; convert oblique "
            f"scans with --pose slices (`mass_nnunet convert nifti`), or leave them out (`mass_nnunet check -d {ids}` "
            "lists them)"
        )


def modality_names(group: Sequence[RawDataset]) -> list[str]:
    """Name of each dataset's modality: that of its first channel, with the dataset's id where several share it."""
    names = [dataset.channels[0] for dataset in group]
    shared = Counter(names)
    return [f"{name}_{dataset.id}" if shared[name] > 1 else name for name, dataset in zip(names, group, strict=True)]


def _check_files(dataset: RawDataset) -> None:
    """Make sure that every scan has all its channels, and every scan of ``imagesTr`` a label; no voxel is read.

    Raises:
        UserError: a file does not exist, the header of a scan is not sound, or there is no scan.
    """
    dataset.patients()
    if not dataset.cases(TRAINING) and not dataset.cases(UNLABELLED):
        raise UserError(f"{dataset.folder} holds no scan: put labelled scans into {TRAINING}, others into {UNLABELLED}")
    for part in (TRAINING, UNLABELLED):
        for case in dataset.cases(part):
            for file in dataset.images(part, case):
                check_header(file)
    for case in dataset.cases(TRAINING):
        label = dataset.label_path(TRAINING, case)
        if not label.is_file():
            raise UserError(f"{label} does not exist: move the scan to {UNLABELLED} if it has no label")
