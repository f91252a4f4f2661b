"""Segmentations as other programs read them; geometry and sides of every orientation: tests of ``to-dicom``."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread

from dicom_export import write_series
from mass_nnunet.dataset_conversion.dicom.instance import read_instance
from mass_nnunet.dataset_conversion.dicom.segmentation import write_segmentation
from mass_nnunet.dataset_conversion.dicom.stacks import stacks_of
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS
from native_trees import organs, scan

VALUES = sitk.GetArrayFromImage(organs(LABELS))


@pytest.fixture
def written(stack, tmp_path):
    """A function that writes a segmentation of the scan, and returns its file."""

    def write(label: np.ndarray = VALUES, labels: dict[str, int] = LABELS, model: str = "model") -> Path:
        path = tmp_path / "out" / "a.dcm"
        write_segmentation(path, label, stack, labels, model, "series 1")
        return path

    return write


def test_each_organ_has_a_segment_with_its_voxels(written):
    pytest.importorskip("highdicom")
    # The values of the organs have gaps, and the numbers of the segments have none.
    labels = {"background": 0, "liver": 9, "spleen": 3, "pancreas": 5}
    label = np.zeros_like(VALUES)
    label[LABELS["liver"] == VALUES], label[LABELS["spleen"] == VALUES] = 9, 3
    found = dcmread(written(label, labels))
    assert [(one.SegmentNumber, one.SegmentLabel) for one in found.SegmentSequence] == [
        *((1, "spleen"), (2, "pancreas"), (3, "liver"))
    ]
    for number, value in ((1, 3), (3, 9)):
        frames = [
            frame
            for frame, item in zip(found.pixel_array, found.PerFrameFunctionalGroupsSequence, strict=True)
            if item.SegmentIdentificationSequence[0].ReferencedSegmentNumber == number
        ]
        assert np.sum(frames) == np.count_nonzero(label == value)


def test_dcmqi_knows_organs_and_sides(written, tmp_path):
    pytest.importorskip("highdicom")
    dcmqi = pytest.importorskip("dcmqi")
    program = Path(dcmqi.__file__).parent / "bin/segimage2itkimage"
    words = ["--inputDICOM", str(written()), "--outputDirectory", str(tmp_path), "--outputType", "nii"]
    subprocess.run([str(program), *words, "--mergeSegments"], check=True, capture_output=True)
    (file,) = tmp_path.glob("*.json")
    found = {one["labelID"]: one for group in json.loads(file.read_text())["segmentAttributes"] for one in group}
    assert found[4]["SegmentedPropertyTypeCodeSequence"]["CodeMeaning"] == "Liver"
    assert found[2]["SegmentedPropertyTypeModifierCodeSequence"]["CodeMeaning"] == "Right"


def test_another_model_or_label_map_is_another_instance(written):
    pytest.importorskip("highdicom")
    empty = np.zeros_like(VALUES)
    found = dcmread(written(empty))
    assert not found.pixel_array.any()
    first, again, other_model, other_label = (
        dcmread(written(label, model=model)).SOPInstanceUID
        for label, model in ((empty, "model"), (empty, "model"), (empty, "another"), (VALUES, "model"))
    )
    assert first == again == found.SOPInstanceUID
    assert len({first, other_model, other_label}) == 3


def test_long_names_are_cut_to_what_dicom_allows(written):
    pytest.importorskip("highdicom")
    found = dcmread(written(labels=LABELS | {"o" * 70: 5}, model="m" * 70))
    assert found.SegmentSequence[4].SegmentLabel == "o" * 64
    assert found.ManufacturerModelName == "m" * 64
    assert len(found.SeriesDescription) == 64


def test_without_highdicom_one_line_says_what_to_install(written, monkeypatch):
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(UserError, match=r"^to-dicom needs highdicom: pip install 'mass-nnunet\[dicom\]'$"):
        written()


def test_a_series_that_lacks_what_a_segmentation_states(tmp_path):
    pytest.importorskip("highdicom")
    slices = write_series(scan(), tmp_path / "src", FrameOfReferenceUID=None)
    (stack,) = stacks_of([plane for path in slices for plane in read_instance(path).planes], "series 1")
    with pytest.raises(UserError, match=r"^series 1 lacks what a segmentation must state"):
        write_segmentation(tmp_path / "out" / "a.dcm", VALUES, stack, LABELS, "model", "series 1")
    assert not (tmp_path / "out").exists()
