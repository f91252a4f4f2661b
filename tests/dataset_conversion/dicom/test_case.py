import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from dicom_export import outlines, write_structures
from mass_nnunet.dataset_conversion.dicom.case import DicomCase
from mass_nnunet.dataset_conversion.dicom.structures import read_label_object
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS
from native_trees import BTCV_VALUES, organs, same_content, scan, write

TABLE = {0: 0} | {BTCV_VALUES[organ]: LABELS[organ] for organ in BTCV_VALUES}


def case(stack, **options) -> DicomCase:
    return DicomCase(name="p001_t1_s1", patient="p001", title="series 1", stack=stack, table=TABLE, **options)


@pytest.fixture
def contours(slices, tmp_path):
    """A function that writes contours of organs, each by a name of its own, as a label object of the scan."""

    def write_contours(name: str, drawn: dict[str, int]):
        label = organs(BTCV_VALUES)
        structures = {structure: outlines(label, value) for structure, value in drawn.items()}
        path = write_structures(tmp_path / name, structures, slices)
        return read_label_object(path, "RTSTRUCT", name, [])

    return write_contours


def test_a_scan_without_labels(stack):
    image, label, notes = case(stack).read()
    assert same_content(image, scan())
    assert label is None
    assert notes == ()


def test_structures_of_several_objects_get_the_values_of_their_organs(stack, contours):
    first, second = contours("series 2", {"milz": 1, "niere": 2}), contours("series 3", {"leber": 6})
    objects = ((first, {1: (1,), 2: (2,)}), (second, {4: (1,)}))
    image, label, notes = case(stack, objects=objects).read()
    wanted = organs(LABELS)
    values = sitk.GetArrayFromImage(wanted)
    values[values == LABELS["left_kidney"]] = 0  # nobody has drawn it
    assert np.array_equal(sitk.GetArrayFromImage(label), values)
    assert same_content(image, scan())
    assert notes == ()


def test_where_organs_overlap_the_higher_value_is_taken(stack, contours):
    drawn = contours("series 2", {"liver": 6, "lesion": 6})
    _, label, (note,) = case(stack, objects=((drawn, {4: (1,), 3: (2,)}),)).read()
    voxels = np.count_nonzero(sitk.GetArrayFromImage(label) == 4)
    assert set(np.unique(sitk.GetArrayFromImage(label))) == {0, 4}
    assert note == f"organs of series 2 overlap in {voxels} voxels: the higher value is taken"


def test_labels_without_a_voxel_are_refused_by_the_name_of_their_series(stack, contours):
    drawn = contours("series 2", {"liver": 6, "empty": 99})
    with pytest.raises(UserError, match=r"^series 2 has no annotated voxel"):
        case(stack, objects=((drawn, {4: (2,)}),)).read()


def test_a_label_map_in_a_nifti_file(stack, tmp_path):
    file = write(sitk.DICOMOrient(organs(BTCV_VALUES), "RAS"), tmp_path / "label.nii.gz")
    _, label, notes = case(stack, nifti=file).read()
    assert same_content(label, organs(LABELS))
    assert notes == ()


def test_files_are_those_that_it_reads_each_once(stack, slices, contours, tmp_path):
    drawn, file = contours("series 2", {"liver": 6}), write(organs(BTCV_VALUES), tmp_path / "label.nii.gz")
    one = case(stack, objects=((drawn, {4: (1,)}),), nifti=file)
    assert sorted(one.files()) == sorted([*slices, drawn.path, file])
    drawn.path.unlink()
    with pytest.raises(UserError) as error:
        one.files()
    assert str(error.value) == "series 1 has lost a file meanwhile: run the same command again"


def test_messages_name_the_series_and_no_file(stack):
    assert case(stack).source == Path("series 1")


def test_what_decides_on_the_result_is_described(stack, contours):
    drawn = contours("series 2", {"liver": 6, "lesion": 6})
    plain = case(stack, objects=((drawn, {4: (1,)}),)).described()
    assert json.loads(json.dumps(plain)) == plain
    other_structures = case(stack, objects=((drawn, {4: (1, 2)}),)).described()
    other_frames = case(stack.__class__(stack.planes[1:]), objects=((drawn, {4: (1,)}),)).described()
    assert plain["structures"] == [{"4": [1]}] and other_structures["structures"] == [{"4": [1, 2]}]
    assert len(plain["frames"]) == len(other_frames["frames"]) + 1
    assert plain["table"] == {str(value): new for value, new in TABLE.items()}
