"""Label maps of another tool in a raw dataset."""

import pytest

from mass_nnunet.data.outside import PSEUDO, outside_labels
from mass_nnunet.data.raw import TRAINING, RawDataset
from mass_nnunet.errors import UserError
from tiny_raw import write_raw_dataset


@pytest.fixture
def dataset(tmp_path):
    folder = write_raw_dataset(tmp_path, "Dataset801_CTS", "CT", ["ct0"], ["ctun", "ctuo"], ["cttest"])
    (folder / PSEUDO).mkdir()
    return RawDataset.read(folder)


def test_those_of_unlabelled_scans_are_found(dataset):
    for case in ("ctun", "ct0"):
        (dataset.folder / PSEUDO / f"{case}.nii.gz").touch()
    assert outside_labels(dataset) == {"ctun": dataset.folder / PSEUDO / "ctun.nii.gz"}
    assert outside_labels(dataset, TRAINING) == {"ct0": dataset.folder / PSEUDO / "ct0.nii.gz"}


def test_without_the_folder_there_are_none(dataset):
    (dataset.folder / PSEUDO).rmdir()
    assert outside_labels(dataset) == {}


@pytest.mark.parametrize("case", ["cttest", "nobody"])
def test_those_of_other_scans_are_refused(dataset, case):
    (dataset.folder / PSEUDO / f"{case}.nii.gz").touch()
    with pytest.raises(UserError, match=f"pseudo/{case}.nii.gz belongs to no scan of imagesUn: rename or remove it"):
        outside_labels(dataset)
