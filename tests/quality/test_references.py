"""Which label maps may be read."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.data.pose import Pose
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.data.splits import Fold
from mass_nnunet.errors import UserError
from mass_nnunet.quality import references
from mass_nnunet.quality.evidence import judges
from mass_nnunet.quality.grid import read_scan
from mass_nnunet.quality.references import annotated_cases, files_of, lattice_of_all, read_references
from oblique import tilted
from quality_world import HIDDEN, TEST, TRAIN, VAL, write_scan
from two_organs import UPRIGHT

FOLD = Fold(tuple(TRAIN), tuple(VAL), tuple(HIDDEN), 0.5, 0)


def test_training_and_validation_scans_only(world):
    dataset = RawDataset.read(world.raw)
    assert annotated_cases(dataset, FOLD) == ("ct0", "ct1", "ct2")
    files = files_of(dataset, annotated_cases(dataset, FOLD))
    assert not {path.name for pair in files.values() for path in pair} & {f"{case}.nii.gz" for case in HIDDEN + TEST}


def test_what_is_annotated_in_part_is_left_out(world):
    dataset = RawDataset.read(world.raw)
    assert annotated_cases(dataset, replace(FOLD, annotated={"ct0": ("liver",)})) == ("ct1", "ct2")
    with pytest.raises(UserError, match="annotated scans of 1 patients in this fold, and at least 2 are needed"):
        annotated_cases(dataset, replace(FOLD, sparse=2))


def test_a_label_map_that_is_absent_is_named(world):
    with pytest.raises(UserError, match=r"labelsTr/ct9.nii.gz does not exist"):
        files_of(RawDataset.read(world.raw), ["ct9"])


def test_annotations_on_another_grid_are_named(world):
    dataset = RawDataset.read(world.raw)
    image = files_of(dataset, ["ct0"])["ct0"][0]
    with pytest.raises(UserError, match=r"ct1.nii.gz has .* but its scan .* make it on the grid of the scan again"):
        read_references({"ct0": (image, world.raw / "labelsTr" / "ct1.nii.gz")}, dataset)


def with_ignore(dataset):
    """The liver is to be ignored."""
    labels = {"background": 0, "ignore": 4, "spleen": 1, "right_kidney": 2, "left_kidney": 3}
    return replace(dataset, content={**dataset.content, "labels": labels})


def test_voxels_to_ignore_are_of_no_organ(world, monkeypatch):
    dataset = RawDataset.read(world.raw)
    files = files_of(dataset, ["ct0", "ct1"])
    monkeypatch.setattr(references, "_annotated_slices", lambda ignored, edge: slice(None))
    both = with_ignore(dataset), dataset
    found, whole = (references._read(*files["ct0"], one, "a", UPRIGHT) for one in both)
    assert len(found.shares) == 4
    assert (found.shares == whole.shares[:4]).all()
    assert (found.volumes > 0).all()


def test_scans_with_voxels_to_ignore_are_left_out_with_a_note(world, tmp_path):
    dataset = with_ignore(RawDataset.read(world.raw))
    files = files_of(dataset, ["ct0", "ct1", "ct2"])
    for case in ("ct0", "ct1"):
        scan = world.patients[case]
        write_scan(tmp_path / f"{case}.nii.gz", np.where(scan.organs == 4, 0, scan.organs), scan)
        files[case] = (files[case][0], tmp_path / f"{case}.nii.gz")
    found, (note,) = read_references(files, dataset)
    assert list(found) == ["ct0", "ct1"]
    assert "ct2.nii.gz has voxels of the label 'ignore'" in note
    del files["ct1"]
    with pytest.raises(UserError, match="has wholly annotated scans of 1 patients"):
        read_references(files, dataset)


def test_slices_to_ignore_at_the_ends_are_left_out(world, tmp_path):
    """On a grid of 10 mm."""
    dataset = with_ignore(RawDataset.read(world.raw))
    files = files_of(dataset, ["ct0", "ct1"])
    for case in files:
        labels = np.where(world.patients[case].organs == 4, 0, world.patients[case].organs)
        if case == "ct0":
            labels[:5] = 4
            labels[-3:, 10:20] = 4
        write_scan(tmp_path / f"{case}.nii.gz", labels, world.patients[case])
        files[case] = (files[case][0], tmp_path / f"{case}.nii.gz")
    found, notes = read_references(files, dataset)
    assert notes == []
    whole, cut = found["ct1"], found["ct0"]
    assert whole.kept == slice(None) and not whole.is_cut and cut.is_cut
    scan, _ = read_scan(files["ct0"][0], "CT", whole.scan.lattice)
    count = len(scan.image)  # for 24 slices
    assert cut.kept == slice(int(np.ceil(5 * count / 24)), int(21 * count / 24))
    np.testing.assert_array_equal(cut.scan.image, scan.image[cut.kept])
    assert cut.shares.shape[1:] == cut.scan.image.shape
    np.testing.assert_allclose(cut.shares.sum(0), 1, atol=1e-6)
    assert list(judges("another name", scan, found)) == ["ct1"]


@pytest.mark.parametrize(
    ("ignored", "kept"),
    [
        ("0000", (None,)),
        ("1000011", (1, 5)),
        ("110000", (2, 6)),
        ("100011", None),
        ("00011000", None),
        ("000010", None),
        ("1111", None),
    ],
)
def test_slices_between_ignored_ends(ignored, kept):
    found = references._annotated_slices(np.array([one == "1" for one in ignored]), 5.0)
    assert found == (None if kept is None else slice(*kept))


def test_few_millimetres_are_too_few_in_any_grid():
    ignored = np.arange(20) > 6
    assert references._annotated_slices(ignored, 2.5) is None
    assert references._annotated_slices(ignored, 3.0) == slice(0, 7)


def test_scans_of_one_patient_count_once(world, monkeypatch):
    dataset = RawDataset.read(world.raw)
    patients = dict.fromkeys(dataset.patients(), "the same")
    monkeypatch.setattr(RawDataset, "patients", lambda self: patients)
    with pytest.raises(UserError, match="has wholly annotated scans of 1 patients"):
        annotated_cases(dataset, FOLD)


def test_the_pose_is_that_of_most_scans_and_the_same_for_all(world, tmp_path):
    """The nearest anatomical axis of the slices is z at 40 degrees, and y at 50."""
    dataset, files = RawDataset.read(world.raw), {}
    for case, angle in (("ct0", 40), ("ct1", 50), ("ct2", 10)):
        files[case] = tmp_path / f"{case}_0000.nii.gz", tmp_path / f"{case}.nii.gz"
        for file, folder in zip(files[case], ("imagesTr", "labelsTr"), strict=True):
            sitk.WriteImage(tilted(sitk.ReadImage(str(world.raw / folder / file.name)), angle, 0), str(file))
    found, _ = read_references(files, dataset)
    assert lattice_of_all(found).pose is Pose.SLICES
    assert {one.scan.lattice for one in found.values()} == {lattice_of_all(found)}
    assert {one.scan.size for one in found.values()} == {(24, 48, 48)}
    upright, _ = read_references(files_of(dataset, files), dataset)
    assert lattice_of_all(upright).pose is Pose.UPRIGHT
