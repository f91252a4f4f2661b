"""mass_nnunet.data.listing: what nnU-Net would pass over without a word is named."""

import pytest

from mass_nnunet.data.listing import listed
from mass_nnunet.errors import UserError


def test_files_with_the_ending_are_listed_and_others_are_not(tmp_path):
    for name in ("b_0000.nii.gz", "a.b_0000.nii.gz", "notes.txt", "check.json"):
        (tmp_path / name).touch()
    (tmp_path / "c_0000.nii.gz").symlink_to(tmp_path / "notes.txt")
    names = ["a.b_0000.nii.gz", "b_0000.nii.gz", "c_0000.nii.gz"]
    assert [path.name for path in listed(tmp_path, ".nii.gz")] == names
    assert listed(tmp_path / "absent", ".nii.gz") == []


@pytest.mark.parametrize(
    ("name", "ending", "remedy"),
    [
        ("a_0000.NII.GZ", ".nii.gz", "rename it to a_0000.nii.gz"),
        ("a_0000.nii.GZ", ".nii.gz", "rename it to a_0000.nii.gz"),
        ("a_0000.nii", ".nii.gz", "save it as a_0000.nii.gz"),
        ("a_0000.NII", ".nii.gz", "save it as a_0000.nii.gz"),
        ("a_0000.nii.gz", ".nii", "save it as a_0000.nii"),
        ("a_0000.MHA", ".mha", "rename it to a_0000.mha"),
    ],
)
def test_scans_with_another_ending_are_refused(tmp_path, name, ending, remedy):
    (tmp_path / name).touch()
    with pytest.raises(UserError, match=f"{name} does not end with {ending} .*: {remedy}$"):
        listed(tmp_path, ending)


def test_broken_links_are_refused(tmp_path):
    (tmp_path / "folder").symlink_to(tmp_path / "gone")
    with pytest.raises(UserError, match="folder is a broken link: repair or remove it"):
        listed(tmp_path / "folder", ".nii.gz")
    (tmp_path / "a_0000.nii.gz").symlink_to(tmp_path / "a_0000.nii.gz")
    with pytest.raises(UserError, match=r"a_0000.nii.gz is a broken link"):
        listed(tmp_path, ".nii.gz")
