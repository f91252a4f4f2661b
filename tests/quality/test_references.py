"""Which label maps may be read."""

from dataclasses import replace

import numpy as np
import pytest

from mass_nnunet.data.raw import RawDataset
from mass_nnunet.data.splits import Fold
from mass_nnunet.errors import UserError
from mass_nnunet.quality import references
from mass_nnunet.quality.references import annotated_cases, files_of, read_references
from quality_world import HIDDEN, TEST, TRAIN, VAL, write_scan

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


def test_voxels_to_ignore_are_of_no_organ(world):
    dataset = RawDataset.read(world.raw)
    files = files_of(dataset, ["ct0", "ct1"])
    found, whole = (references._read(*files["ct0"], one, "a")[0] for one in (with_ignore(dataset), dataset))
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


def test_scans_of_one_patient_count_once(world, monkeypatch):
    dataset = RawDataset.read(world.raw)
    patients = dict.fromkeys(dataset.patients(), "the same")
    monkeypatch.setattr(RawDataset, "patients", lambda self: patients)
    with pytest.raises(UserError, match="has wholly annotated scans of 1 patients"):
        annotated_cases(dataset, FOLD)
