import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import MediaStorageDirectoryStorage

from dicom_export import fill, new_file, save, write_enhanced, write_series
from mass_nnunet.dataset_conversion.dicom.instance import read_instance
from native_trees import ORIGIN, scan


def read(path):
    instance = read_instance(path)
    assert instance is not None
    return instance


def test_a_slice(tmp_path):
    path = write_series(scan(), tmp_path, EchoTime=4.6)[2]
    instance = read(path)
    (plane,) = instance.planes
    assert (plane.frame, plane.number, plane.size, plane.spacing) == (None, 4, (24, 24), (2.0, 1.5))
    assert plane.position == (*ORIGIN[:2], ORIGIN[2] + 6)
    assert plane.marks["echo"] == "4.6"
    assert instance.identity.name == "Mustermann^Erika"
    assert instance.image_type == ("ORIGINAL", "PRIMARY", "AXIAL")


def test_frames_of_an_enhanced_file(tmp_path):
    instance = read(write_enhanced(scan(), tmp_path / "e", modality="MR", echoes=(2.3, 4.6)))
    assert [plane.frame for plane in instance.planes] == list(range(12))
    assert [plane.marks["echo"] for plane in instance.planes] == ["2.3"] * 6 + ["4.6"] * 6
    assert np.allclose([plane.position[2] for plane in instance.planes[:6]], ORIGIN[2] + 3 * np.arange(5, -1, -1))


def test_what_is_no_image_of_a_series(tmp_path):
    (tmp_path / "text").write_text("a report that is long enough" * 9)
    (tmp_path / "short").write_bytes(b"x")
    save(new_file(MediaStorageDirectoryStorage, "dir"), tmp_path / "DICOMDIR")
    assert [read_instance(tmp_path / name) for name in ("text", "short", "DICOMDIR")] == [None] * 3


def test_a_file_without_preamble(tmp_path):
    dataset = dcmread(write_series(scan(), tmp_path)[0])
    bare = Dataset()
    bare.update(dataset)
    bare.save_as(tmp_path / "bare", implicit_vr=True, little_endian=True)
    assert read(tmp_path / "bare").planes == tuple(
        type(plane)(**(vars(plane) | {"path": tmp_path / "bare"})) for plane in read(tmp_path / "IM0000").planes
    )


@pytest.mark.parametrize(
    ("elements", "fault"),
    [
        ({"ImagePositionPatient": None}, "no position"),
        ({"ImageOrientationPatient": None}, "no orientation"),
        ({"PixelSpacing": None}, "no pixel spacing"),
        ({"PixelSpacing": [-1, 1]}, "a pixel spacing that is not above 0"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "an invalid orientation"),
        ({"NumberOfFrames": 3}, "several frames without a position of each"),
    ],
)
def test_faults_of_the_geometry(elements, fault, tmp_path):
    path = write_series(scan(), tmp_path)[0]
    dataset = dcmread(path)
    fill(dataset, elements)
    save(dataset, path)
    assert (read(path).fault, read(path).planes) == (fault, ())


def test_a_damaged_header_quotes_nothing(tmp_path):
    path = write_series(scan(), tmp_path)[0]
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(ValueError, match=r"^\w*$"):
        read_instance(path)
