"""mass_nnunet.data.names: what a case's files are called, and names that nnU-Net or SimpleITK would mistake."""

from pathlib import Path

import pytest

from mass_nnunet.data.names import case_of, image_name, label_name
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.errors import UserError
from tiny_raw import write_raw_dataset

ENDING = ".nii.gz"


def test_names_of_the_files_of_a_case():
    assert (image_name("1.2_a", 1, ENDING), label_name("1.2_a", ENDING)) == ("1.2_a_0001.nii.gz", "1.2_a.nii.gz")
    assert case_of(Path("1.2_a_0001.nii.gz"), ENDING, ["T1", "T2"]) == "1.2_a"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("b.nii.gz", "has no channel in its name: rename it to b_0000.nii.gz"),
        ("b_0001.nii.gz", "is channel 1 of b, and dataset.json has CT alone: name the channel there, for all scans"),
        ("b_seg_0000.nii.gz", "is of a case whose name ends with _seg, and its files would be taken for those of b: "),
        ("b.nii_0000.nii.gz", "is of a case whose name ends with .nii, and its files would be taken for those of b: "),
        ("b.NII.GZ_0000.nii.gz", "name ends with .nii.gz, and its files would be taken for those of b: rename it"),
    ],
)
def test_a_wrong_name_is_refused(name, told):
    """Preprocessed, the image of ``b_seg`` and the label map of ``b`` would be one file."""
    with pytest.raises(UserError, match=f"^{name} .*{told}"):
        case_of(Path(name), ENDING, ["CT"])


def test_a_scan_that_is_not_preprocessed_has_no_preprocessed_label_map():
    assert case_of(Path("b_seg_0000.nii.gz"), ENDING, ["CT"], preprocessed=False) == "b_seg"
    with pytest.raises(UserError, match=r"ends with .nii,"):
        case_of(Path("b.nii_0000.nii.gz"), ENDING, ["CT"], preprocessed=False)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("imagesTr/a_seg_0000.nii.gz", "name ends with _seg"),
        ("imagesUn/a_seg_0000.nii.gz", "name ends with _seg"),
        ("imagesTs/a_seg_0000.nii.gz", None),
        ("imagesUn/a_0001.nii.gz", "channel 1 of a"),
    ],
)
def test_names_are_looked_at_in_every_part(tmp_path, name, told):
    raw = write_raw_dataset(tmp_path, "Dataset801_A", "CT", ["a", "b"], ["c"], ["d"], shape=(2, 4, 4))
    (raw / name).touch()
    if told is None:
        RawDataset.read(raw)
        return
    with pytest.raises(UserError, match=f"{name} is .*{told}"):
        RawDataset.read(raw)
