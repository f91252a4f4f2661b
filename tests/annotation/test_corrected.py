"""Corrected labels as editors save them, and what is wrong with some."""

import re
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from exported_scans import correct, export, label_file
from mass_nnunet.annotation.corrected import read_corrected, saved_elsewhere
from mass_nnunet.annotation.exchange import read_export
from mass_nnunet.data.raw import UNLABELLED, RawDataset
from mass_nnunet.data.volume import SAME_GRID, grid_distance
from mass_nnunet.errors import UserError
from tiny_group import CT


@pytest.fixture
def folder(pair, tmp_path):
    return export(tmp_path / "out", (CT, "ctun"))


def read(folder):
    dataset = RawDataset.load(801)
    return read_corrected(folder, read_export(folder).cases[0], dataset, dataset.images(UNLABELLED, "ctun"))


def save(folder, label):
    sitk.WriteImage(label, str(label_file(folder, CT, "ctun")))


def values(label):
    return sitk.GetArrayFromImage(label)


def test_what_was_not_changed_is_told_apart(folder):
    assert not read(folder).is_changed
    assert read(folder).is_empty
    label = correct(folder, CT, "ctun")
    found = read(folder)
    assert (found.is_changed, found.is_empty) == (True, False)
    assert np.array_equal(values(found.label), values(label))
    assert found.notes == ()


def test_the_type_of_the_file_does_not_count(folder):
    label = sitk.ReadImage(str(label_file(folder, CT, "ctun")))
    save(folder, sitk.Cast(label, sitk.sitkInt16))
    assert not read(folder).is_changed


def test_axes_in_another_order_are_those_of_the_scan(folder):
    label = correct(folder, CT, "ctun")
    save(folder, sitk.DICOMOrient(label, "RAS"))
    found = read(folder)
    assert grid_distance(label, found.label) <= SAME_GRID
    assert np.array_equal(values(found.label), values(label))


def test_the_box_around_the_labels_is_put_into_the_whole_grid(folder):
    label = correct(folder, CT, "ctun")
    save(folder, sitk.DICOMOrient(label[3:20, 2:18, 1:7], "RPI"))
    found = read(folder)
    assert grid_distance(label, found.label) <= SAME_GRID
    assert np.array_equal(values(found.label), values(label))


def test_a_rounded_header_is_noted(folder):
    label = correct(folder, CT, "ctun")
    label.SetOrigin((0.3, 0.0, 0.0))
    save(folder, label)
    found = read(folder)
    assert "differs by 0.15 voxels: that of the image is taken" in found.notes[0]
    assert found.label.GetOrigin() == (0.0, 0.0, 0.0)


def test_nearly_whole_numbers_are_rounded(folder):
    label = sitk.Cast(correct(folder, CT, "ctun"), sitk.sitkFloat32)
    save(folder, label * 1.00001)
    found = read(folder)
    assert values(found.label).max() == 4
    assert "they are rounded" in found.notes[0]


def unknown(folder, label):
    label[0, 0, 0] = 9
    save(folder, label)


def shifted(folder, label):
    label.SetOrigin((0.0, 0.0, 60.0))
    save(folder, label)


def coarser(folder, label):
    save(folder, label[::2, ::2, ::2])


def beyond(folder, label):
    part = label[0:10]
    part.SetOrigin((-20.0, 0.0, 0.0))
    save(folder, part)


def emptied(folder, label):
    save(folder, label)  # annotated before it was exported, and now erased
    record = folder / "export.json"
    text = record.read_text()
    record.write_text(re.sub(r'"label": "\w+"', '"label": "another"', text))
    save(folder, label * 0)


def damaged(folder, label):
    file = label_file(folder, CT, "ctun")
    file.write_bytes(file.read_bytes()[:-40])


def gone(folder, label):
    label_file(folder, CT, "ctun").unlink()


def replaced(folder, label):
    scan = RawDataset.load(801).images(UNLABELLED, "ctun")[0]
    sitk.WriteImage(sitk.ReadImage(str(scan)) + 1, str(scan))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (unknown, "ctun_label.nii.gz has value 9, which dataset.json does not name"),
        (shifted, r"ctun_label.nii.gz \(24 x 24 x 8 .* is not on the grid of .*ctun_0000.nii.gz"),
        (coarser, "is not on the grid of"),
        (beyond, "is not on the grid of"),
        (emptied, "ctun_label.nii.gz is empty now: annotate the scan"),
        (damaged, "ctun_label.nii.gz cannot be read"),
        (gone, "ctun_label.nii.gz does not exist: save the corrected labels of ctun under this name"),
        (replaced, r"ctun_0000.nii.gz is not the scan that was exported to .*: export it again"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(folder, damage, message):
    damage(folder, correct(folder, CT, "ctun"))
    with pytest.raises(UserError, match=message) as error:
        read(folder)
    assert "\n" not in str(error.value)


def test_files_under_other_names_are_found(folder):
    exported = read_export(folder).cases[0]
    assert saved_elsewhere(folder, exported, 1) == []
    place = label_file(folder, CT, "ctun").parent
    for name in ("ctun_channel1.nii.gz", "ctun_label_1.nii.gz", "ctun.seg.nrrd", "ctun_2.nii.gz", "ctunlabel.nrrd"):
        (place / name).touch()
    assert saved_elsewhere(folder, exported, 2) == ["ctun.seg.nrrd", "ctun_label_1.nii.gz"]
    (place / "ct[1].seg.nrrd").touch()
    assert saved_elsewhere(folder, replace(exported, case="ct[1]"), 1) == ["ct[1].seg.nrrd"]
