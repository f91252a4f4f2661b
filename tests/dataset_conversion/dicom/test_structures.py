import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread
from pydicom.sr.codedict import codes

from dicom_export import outlines, save, write_structures
from mass_nnunet.dataset_conversion.dicom.segmentation import write_segmentation
from mass_nnunet.dataset_conversion.dicom.structures import read_label_object
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS
from mass_nnunet.phantom.dicom import make_uid
from native_trees import AXIS_CODES, BTCV_VALUES, organs

_CODES = (codes.SCT.AnatomicalStructure, codes.SCT.Liver)
VALUES = sitk.GetArrayFromImage(organs(LABELS))


def segmentation(path: Path, stack, change=lambda dataset: None) -> Path:
    pytest.importorskip("highdicom")
    write_segmentation(path, VALUES, stack, LABELS, "model", "series 1")
    dataset = dcmread(path)
    change(dataset)
    return save(dataset, path)


def read(path: Path, kind: str = "SEG"):
    return read_label_object(path, kind, "series 2", ["Mustermann"])


def test_segments_and_what_they_belong_to(slices, stack, tmp_path):
    found = read(segmentation(tmp_path / "seg", stack))
    assert found.structures == ((1, "spleen"), (2, "right kidney"), (3, "left kidney"), (4, "liver"))
    assert found.belongs("", "", stack) == 6
    assert np.array_equal(found.mask([1], stack), VALUES == 1)
    assert np.array_equal(found.mask([2, 3], stack), np.isin(VALUES, (2, 3)))


def test_structures_and_what_they_belong_to(slices, stack, tmp_path):
    structures = {"Liver Mustermann": outlines(organs(BTCV_VALUES), 6)}
    found = read(write_structures(tmp_path / "rt", structures, slices), "RTSTRUCT")
    assert found.structures == ((1, "Liver ***"),)
    assert found.belongs("", "", stack) == 6
    assert np.array_equal(found.mask([1], stack), VALUES == 4)


def test_an_object_without_images_belongs_to_its_series_or_frame_of_reference(slices, stack, tmp_path):
    def forget(dataset):
        del dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence

    image = dcmread(slices[0])
    path = write_structures(tmp_path / "rt", {"liver": []}, slices, change=forget)
    found = read(path, "RTSTRUCT")
    assert found.belongs("", image.FrameOfReferenceUID, stack) == 1
    assert found.belongs("", make_uid("other"), stack) == found.belongs("", "", stack) == 0


def test_fractional_segmentations_and_label_maps(stack, tmp_path):
    seg = pytest.importorskip("highdicom").seg
    sources = [dcmread(plane.path) for plane in stack.planes]
    description = [seg.SegmentDescription(number, name, *_CODES, "MANUAL") for number, name in enumerate("ab", 1)]
    fractions = np.stack([(VALUES == 4) * 0.9 + (VALUES == 1) * 0.3, (VALUES == 2) * 1.0], axis=-1)
    words = {
        "series_instance_uid": make_uid(1),
        "series_number": 1,
        "sop_instance_uid": make_uid(2),
        "instance_number": 1,
        "manufacturer": "x",
        "manufacturer_model_name": "x",
        "software_versions": "1",
        "device_serial_number": "1",
    }
    for kind, pixels in (("FRACTIONAL", fractions), ("LABELMAP", (VALUES == 4) + 2 * (VALUES == 2).astype(np.uint8))):
        written = seg.Segmentation(sources, pixels, kind, description, **words)
        written.save_as(tmp_path / kind)
        found = read(tmp_path / kind)
        assert np.array_equal(found.mask([1], stack), VALUES == 4)
        assert np.array_equal(found.mask([2], stack), VALUES == 2)


@pytest.mark.parametrize("codes_", AXIS_CODES[::9])
def test_segmentations_of_dcmqi_in_any_order_of_axes(codes_, slices, stack, tmp_path):
    dcmqi = pytest.importorskip("dcmqi")
    label = sitk.DICOMOrient(organs({"liver": 1}, {"liver": np.s_[2:6, 3:12, 2:11]}), codes_)
    sitk.WriteImage(label, str(tmp_path / "label.nrrd"))
    code = {"CodeValue": "10200004", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Liver"}
    category = {"CodeValue": "91723000", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Anatomical Structure"}
    segment = {
        "labelID": 1,
        "SegmentLabel": "Liver",
        "SegmentAlgorithmType": "MANUAL",
        "SegmentedPropertyCategoryCodeSequence": category,
        "SegmentedPropertyTypeCodeSequence": code,
    }
    text = {"ContentCreatorName": "x", "SeriesNumber": "1", "InstanceNumber": "1", "segmentAttributes": [[segment]]}
    (tmp_path / "meta.json").write_text(json.dumps(text))
    words = ["--inputImageList", "label.nrrd", "--inputDICOMDirectory", "ct", "--inputMetadata", "meta.json"]
    program = Path(dcmqi.__file__).parent / "bin/itkimage2segimage"
    subprocess.run([str(program), *words, "--outputDICOM", "seg.dcm"], cwd=tmp_path, check=True, capture_output=True)
    found = read(tmp_path / "seg.dcm")
    assert found.structures == ((1, "Liver"),)
    # With other axes than those of the scan, dcmqi states the frame of reference alone.
    assert found.belongs("", dcmread(slices[0]).FrameOfReferenceUID, stack) > 0
    assert np.array_equal(found.mask([1], stack), VALUES == 4)


def test_slices_of_a_segmentation_that_were_left_out_are_no_background(stack, tmp_path):
    def every_second(dataset):
        for item in dataset.PerFrameFunctionalGroupsSequence[1::2]:
            item.SegmentIdentificationSequence[0].ReferencedSegmentNumber = 99

    found = read(segmentation(tmp_path / "seg", stack, every_second))
    with pytest.raises(UserError, match=r"^series 2 has a structure in \d of \d slices"):
        found.mask([4], stack)


def moved(dataset):
    for item in dataset.PerFrameFunctionalGroupsSequence:
        position = item.PlanePositionSequence[0]
        position.ImagePositionPatient = [float(value) + shift for value, shift in zip(
            position.ImagePositionPatient, (0, 0.9, 0), strict=True)]  # fmt: skip


def far(dataset):
    for item in dataset.PerFrameFunctionalGroupsSequence:
        item.PlanePositionSequence[0].ImagePositionPatient = [-20.0, 7.0, 400.0]


def coarse(dataset):
    dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = [4.0, 3.0]


def thick(dataset):
    dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices = 6.0


def cut_pixels(dataset):
    dataset.PixelData = dataset.PixelData[:-100]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (moved, "is not on the grid of its scan"),
        (coarse, "is not on the grid of its scan"),
        (thick, "is not on the grid of its scan"),
        (far, "has labels outside its scan"),
        (cut_pixels, "cannot be read"),
    ],
)
def test_segmentations_that_are_not_those_of_the_scan(change, message, stack, tmp_path):
    found = read(segmentation(tmp_path / "seg", stack, change))
    with pytest.raises(UserError, match=f"^series 2 {message}"):
        found.mask([4], stack)
