"""Labels that another tool made of scans without annotation: the folder ``pseudo`` of a raw dataset."""

from pathlib import Path

from mass_nnunet.errors import UserError

from .listing import listed
from .raw import TRAINING, UNLABELLED, Part, RawDataset

PSEUDO = "pseudo"
"""Name of the folder; its files are named as label maps: ``pseudo/case.nii.gz`` for ``imagesUn/case_0000.nii.gz``."""


def outside_labels(dataset: RawDataset, part: Part = UNLABELLED) -> dict[str, Path]:
    """The label maps of another tool, by case; those of annotated scans, in ``imagesTr``, do not teach.

    Args:
        dataset: the raw dataset.
        part: of the scans.

    Raises:
        UserError: a label map belongs to no scan that is trained on.
    """
    found = {path.name.removesuffix(dataset.ending): path for path in listed(dataset.folder / PSEUDO, dataset.ending)}
    if strange := sorted(set(found) - {*dataset.cases(UNLABELLED), *dataset.cases(TRAINING)}):
        raise UserError(f"{found[strange[0]]} belongs to no scan of {UNLABELLED}: rename or remove it")
    cases = set(dataset.cases(part))
    return {case: path for case, path in sorted(found.items()) if case in cases}
