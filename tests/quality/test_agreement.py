"""Agreement with other segmentations: a closed form, and label maps that must not count."""

import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.errors import UserError
from mass_nnunet.quality.agreement import agreement, joined

LABELS = {"background": 0, "spleen": 1, "liver": 2}


def write(file, spleen, liver, slices=6):
    """A label map whose organs fill so many voxels of a row, from its start."""
    labels = np.zeros((slices, 6, 6), np.uint8)
    labels[1, 1, :spleen] = 1
    labels[2, 1, :liver] = 2
    sitk.WriteImage(sitk.GetImageFromArray(labels), str(file))
    return file


@pytest.fixture
def own(tmp_path):
    return write(tmp_path / "own.nii.gz", 4, 2)


def test_the_mean_dice_with_all_others(own, tmp_path):
    others = write(tmp_path / "a.nii.gz", 2, 0), write(tmp_path / "b.nii.gz", 4, 3)
    found, notes = agreement(own, others, LABELS)
    assert found == {"spleen": pytest.approx((2 * 2 / 6 + 1) / 2), "liver": pytest.approx((0 + 2 * 2 / 5) / 2)}
    assert notes == []


def test_without_others_there_is_none(own):
    assert agreement(own, [], LABELS) == ({}, [])


def test_a_copy_says_nothing(own, tmp_path):
    copy, other, again = (
        write(tmp_path / f"{name}.nii.gz", *sizes) for name, sizes in (("copy", (4, 2)), ("b", (2, 2)), ("c", (2, 2)))
    )
    found, (note,) = agreement(own, [copy], LABELS)
    assert found == {}
    assert note.startswith(f"{copy} equals another segmentation")
    found, notes = agreement(own, [copy, other, again], LABELS)
    assert found == {"spleen": pytest.approx(2 * 2 / 6), "liver": 1}
    assert [note.split()[0] for note in notes] == [str(copy), str(again)]


def test_two_models_may_both_find_nothing(tmp_path):
    empty = [write(tmp_path / f"{name}.nii.gz", 0, 0) for name in "ab"]
    assert agreement(empty[0], empty[1:], LABELS) == ({"spleen": 1, "liver": 1}, [])


def test_a_bad_file_is_a_note(own, tmp_path):
    bad, small = tmp_path / "bad.nii.gz", write(tmp_path / "small.nii.gz", 4, 2, slices=5)
    bad.write_bytes(b"no label map")
    found, notes = agreement(own, [bad, small], LABELS)
    assert found == {}
    assert any("bad.nii.gz cannot be read" in note for note in notes)
    assert any("small.nii.gz has " in note and "but its scan" in note for note in notes)
    with pytest.raises(UserError, match="cannot be read"):
        agreement(bad, [own], LABELS)


def test_the_estimate_is_the_mean_of_both():
    assert joined(0.4, 0.8) == pytest.approx(0.6)
