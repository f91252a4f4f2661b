import numpy as np
import pydicom
import pytest

from dicom_export import write_enhanced, write_series
from mass_nnunet.dataset_conversion.dicom.instance import read_instance
from mass_nnunet.dataset_conversion.dicom.stacks import stacks_of
from mass_nnunet.phantom.dicom import make_uid
from native_trees import affine, scan
from oblique import tilted


def stacks(folder):
    planes = [plane for path in sorted(folder.iterdir()) for plane in read_instance(path).planes]
    return stacks_of(planes, "series 1")


@pytest.mark.parametrize("image", [scan(), tilted(scan(), 20, 30)], ids=["axial", "oblique"])
def test_slices_are_sorted_by_position(image, tmp_path):
    write_series(image, tmp_path)
    (stack,) = stacks(tmp_path)
    assert [plane.number for plane in stack.planes] == [6, 5, 4, 3, 2, 1]
    assert (stack.fault, stack.mark, stack.shear) == ("", "", (0.0, 0.0))
    assert np.allclose(stack.affine(), affine(image), atol=1e-4)


def test_echoes_of_one_series(tmp_path):
    write_series(scan(), tmp_path, name="a{}", modality="MR", EchoTime=2.3)
    write_series(scan(1), tmp_path, name="b{}", modality="MR", EchoTime=4.6, change=other_uid)
    assert [(stack.mark, len(stack.planes)) for stack in stacks(tmp_path)] == [("echo 2.3 ms", 6), ("echo 4.6 ms", 6)]


def other_uid(dataset, index):
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = make_uid("other", index)


def test_one_echo_time_may_be_written_in_several_ways(tmp_path):
    """Else every second slice would be a scan of its own."""
    texts = ("2.3", "2.30")
    write_series(scan(), tmp_path, change=lambda dataset, index: setattr(dataset, "EchoTime", texts[index % 2]))
    assert [(stack.mark, len(stack.planes)) for stack in stacks(tmp_path)] == [("", 6)]


@pytest.mark.parametrize(
    ("keyword", "values", "mark"),
    [
        ("DiffusionBValue", (0.0, 800.0), "b 800.0"),
        ("TemporalPositionIdentifier", (1, 2), "time 2"),
        ("TriggerTime", (10.0, 300.0), "trigger 300.0"),
        ("AcquisitionNumber", (1, 2), "acquisition 2"),
        ("ContentTime", ("101010", "111111"), "made 2"),
    ],
)
def test_what_tells_scans_at_one_position_apart(keyword, values, mark, tmp_path):
    write_series(scan(), tmp_path, name="a{}", **{keyword: values[0]})
    write_series(scan(1), tmp_path, name="b{}", change=other_uid, **{keyword: values[1]})
    first, second = stacks(tmp_path)
    assert (len(first.planes), len(second.planes), second.mark) == (6, 6, mark)


def test_a_mark_that_differs_from_slice_to_slice_separates_nothing(tmp_path):
    write_series(scan(), tmp_path, change=lambda dataset, index: setattr(dataset, "ContentTime", f"1010{index:02d}"))
    assert len(stacks(tmp_path)) == 1


def test_echoes_of_an_enhanced_file(tmp_path):
    write_enhanced(scan(), tmp_path / "e", modality="MR", echoes=(2.3, 4.6))
    assert [[plane.frame for plane in stack.planes] for stack in stacks(tmp_path)] == [
        [5, 4, 3, 2, 1, 0],
        [11, 10, 9, 8, 7, 6],
    ]


def test_slices_that_are_there_twice_count_once(tmp_path):
    paths = write_series(scan(), tmp_path)
    (tmp_path / "copy").write_bytes(paths[2].read_bytes())
    write_series(scan(), tmp_path, name="again{}", change=other_uid)  # sent twice, under new UIDs
    (stack,) = stacks(tmp_path)
    assert (len(stack.planes), stack.fault) == (6, "")
    assert stack.notes == ("7 slices of series 1 were there twice",)


def test_pixels_of_another_kind_of_value_are_no_copy(tmp_path):
    paths = write_series(scan(), tmp_path)
    for name, text in (("a", "1.2.3"), ("b", "1.2.4")):
        other = pydicom.dcmread(paths[2])
        del other.PixelData
        other.add_new("PixelData", "UI", text)
        other.SOPInstanceUID = make_uid("other", name)
        other.save_as(tmp_path / name)
    (stack,) = stacks(tmp_path)
    assert (len(stack.planes), stack.notes) == (8, ())


def test_a_localizer_in_the_series_is_a_stack_of_its_own(tmp_path):
    write_series(scan(), tmp_path)
    write_series(tilted(scan(), 90, 0)[:, :, :1], tmp_path, name="scout{}", change=other_uid)
    first, second = stacks(tmp_path)
    assert (len(first.planes), first.fault) == (6, "")
    assert second.fault == "only 1 slices, as in a localizer"


@pytest.mark.parametrize("tilt", [0.3, -0.3])
def test_the_shear_of_a_tilted_gantry(tilt, tmp_path):
    write_series(scan(), tmp_path, tilt=tilt)
    (stack,) = stacks(tmp_path)
    assert stack.shear == pytest.approx((0, tilt), abs=1e-5)
    assert stack.step == pytest.approx(3)
    assert np.allclose(stack.affine() @ (0, 0, 5, 1), (*stack.planes[-1].position, 1), atol=1e-4)
