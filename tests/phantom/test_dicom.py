import numpy as np
import pytest
from pydicom import dcmread

from mass_nnunet.phantom import dicom


def test_uids_are_valid_and_depend_on_all_parts():
    uids = {dicom.make_uid("a", "b"), dicom.make_uid("a", "c"), dicom.make_uid("ab")}
    assert len(uids) == 3 and dicom.make_uid("a", "b") in uids
    assert all(uid.startswith("2.25.") and len(uid) <= 64 and uid[5:].isdigit() for uid in uids)


def test_a_slice_is_what_pydicom_reads(tmp_path):
    pixels = np.arange(12, dtype=np.uint16).reshape(3, 4)
    tags = {dicom.ECHO_TIME: "4.6", dicom.PATIENT_ID: "x", dicom.SOP_CLASS: dicom.MR_IMAGE_STORAGE}
    dicom.write_slice(tmp_path / "a.dcm", pixels, (1.5, 2.0, 3.0), (-1.0, 2.0, 5.5), tags)
    found = dcmread(tmp_path / "a.dcm")
    assert (found.PatientID, float(found.EchoTime), found.SOPClassUID) == ("x", 4.6, dicom.MR_IMAGE_STORAGE)
    assert np.array_equal(found.pixel_array, pixels)
    assert [float(value) for value in found.PixelSpacing] == pytest.approx([2.0, 1.5])  # between rows, columns
    assert [float(value) for value in found.ImagePositionPatient] == pytest.approx([-1.0, 2.0, 5.5])
    assert (int(found.RescaleSlope), int(found.RescaleIntercept)) == (1, 0)
